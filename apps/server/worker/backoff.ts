/**
 * The pause before another attempt, from the policy that the task runs under.
 * Jitter takes a random share off, so that tasks that failed together do not come back together, and never adds to the cap.
 */
import type { RetryDefaults } from '@app/handlers';
import type { ClaimedTask } from '@app/tasks';

/** What a task says of its own. It is meant for the handler that it names; one that stands in for that has its own policy. */
export function ownPolicy(task: Pick<ClaimedTask, 'fallbacks' | 'maxAttempts' | 'retry' | 'timeoutMs'>): typeof task {
  return task.fallbacks === 0 ? task : { fallbacks: task.fallbacks, maxAttempts: 0, retry: null, timeoutMs: 0 };
}

/** The pause in ms after the `failures`-th failure (1 for the first): base·2ⁿ⁻¹, base·n or base, capped, less jitter. */
export function retryDelay(retry: RetryDefaults, failures: number, random: number): number {
  const growth = { exponential: 2 ** Math.min(failures - 1, 52), linear: failures, fixed: 1 }[retry.backoff];
  const full = Math.min(retry.maxMs, retry.baseMs * growth);
  return Math.round(full * (1 - retry.jitter * random));
}
