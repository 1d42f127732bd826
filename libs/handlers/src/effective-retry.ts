/** Which policy a task runs under: its own, the handler's, or the defaults, in this order for each part. */
import type { HandlerBackoff, HandlerRetry } from './definition.js';

export interface RetryDefaults {
  maxAttempts: number;
  backoff: HandlerBackoff;
  baseMs: number;
  maxMs: number;
  /** 0 … 1 */
  jitter: number;
}

/**
 * Fills what the task leaves open from the handler, and what the handler leaves open from the defaults.
 * @param task `maxAttempts` 0: the task says nothing
 */
export function effectiveRetry(
  task: { maxAttempts: number; retry: Omit<HandlerRetry, 'maxAttempts'> | null },
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
