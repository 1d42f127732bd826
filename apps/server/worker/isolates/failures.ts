/** Errors on their way between an isolate and its worker: described on one side, made again on the other. */
import { DeferError, PermanentError, RetryableError, type FailureDescription } from '@app/handlers';

/** An error that is understood like the one that was described. */
export function errorFrom({ permanent, deferMs, retryAfterMs, code, message }: FailureDescription): Error {
  if (permanent) return new PermanentError(message, { code });
  if (deferMs !== null) return new DeferError(deferMs);
  return new RetryableError({ message, code, ...(retryAfterMs === null ? {} : { retryAfterMs }) });
}
