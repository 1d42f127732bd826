/**
 * What a handler may throw to say more than "it failed". No class is needed: any error with `name` "PermanentError" or
 * `retryable: false`, any with a number `retryAfterMs`, and any named "DeferError" with a number `delayMs`, is understood the same
 * way.
 */
import { inspect } from 'node:util';
import { pauseOf, RETRY_AFTER_MS_MAX } from './describe-failure.js';

export interface ThrownDetails {
  /** Shown as `lastError.code`; 1 to 64 of `[A-Za-z0-9._:-]`. */
  code?: string;
  cause?: unknown;
}

/** Trying again is pointless: the task fails at once, whatever its retry budget. */
export class PermanentError extends Error {
  readonly code: string | undefined;
  readonly retryable = false;

  constructor(message: string, { code, cause }: ThrownDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'PermanentError';
    this.code = code;
  }
}

/** Try again, and where `retryAfterMs` is given not before that many milliseconds, in place of the policy's own pause. */
export class RetryableError extends Error {
  readonly code: string | undefined;
  readonly retryable = true;
  readonly retryAfterMs: number | undefined;

  constructor({
    message = 'The handler asked to be tried again.',
    retryAfterMs,
    code,
    cause,
  }: ThrownDetails & { message?: string; retryAfterMs?: number } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'RetryableError';
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Not now: run the task again after `delayMs`, without counting a failure. Bounded by how often a task may be put off in all. */
export class DeferError extends Error {
  readonly delayMs: number;

  /** @param delayMs 0 to 30 days; more is taken as 30 days, and what is no such number makes it an ordinary failure. */
  constructor(delayMs: number) {
    super(
      pauseOf(delayMs) === null
        ? `The task cannot be put off by ${inspect(delayMs)}: ctx.snooze and DeferError take a number of ms, from 0 to ${RETRY_AFTER_MS_MAX} (30 days).`
        : `The handler put the task off, by ${delayMs} ms.`,
    );
    this.name = 'DeferError';
    this.delayMs = delayMs;
  }
}
