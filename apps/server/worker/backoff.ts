/**
 * The pause before another attempt, from the task's own policy, the handler's, or the defaults, in this order for each part.
 * Jitter takes a random share off, so that tasks that failed together do not come back together, and never adds to the cap.
 */
import type { HandlerRetry } from '@app/handlers';
import type { Backoff, ClaimedTask, RetryPolicy } from '@app/tasks';

export interface RetryDefaults {
  maxAttempts: number;
  backoff: Backoff;
  baseMs: number;
  maxMs: number;
  /** 0 … 1 */
  jitter: number;
}

/** What a task says of its own. It is meant for the handler that it names; one that stands in for that has its own policy. */
export function ownPolicy(task: Pick<ClaimedTask, 'fallbacks' | 'maxAttempts' | 'retry' | 'timeoutMs'>): typeof task {
  return task.fallbacks === 0 ? task : { fallbacks: task.fallbacks, maxAttempts: 0, retry: null, timeoutMs: 0 };
}

/** Fills what the task leaves open from the handler, and what the handler leaves open from the defaults. */
export function effectiveRetry(
  task: { maxAttempts: number; retry: RetryPolicy | null },
  handler: HandlerRetry | undefined,
  defaults: RetryDefaults,
): RetryDefaults {
  return {
    maxAttempts: task.maxAttempts > 0 ? task.maxAttempts : (handler?.maxAttempts ?? defaults.maxAttempts),
    backoff: task.retry?.backoff ?? handler?.backoff ?? defaults.backoff,
    baseMs: task.retry?.baseMs ?? handler?.baseMs ?? defaults.baseMs,
    maxMs: task.retry?.maxMs ?? handler?.maxMs ?? defaults.maxMs,
    jitter: task.retry?.jitter ?? handler?.jitter ?? defaults.jitter,
  };
}

/** The pause in ms after the `failures`-th failure (1 for the first): base·2ⁿ⁻¹, base·n or base, capped, less jitter. */
export function retryDelay(retry: RetryDefaults, failures: number, random: number): number {
  const growth = { exponential: 2 ** Math.min(failures - 1, 52), linear: failures, fixed: 1 }[retry.backoff];
  const full = Math.min(retry.maxMs, retry.baseMs * growth);
  return Math.round(full * (1 - retry.jitter * random));
}
