/**
 * What an answer, or its absence, means for the task. Trying again is for what may be different next time: a server that is busy or
 * broken, a connection that failed. What would be the same again, or may have had its effect already, is final.
 */
import { PermanentError, RetryableError } from '@app/handlers';
import { OutboundFailed, OutboundRefused, type OutboundAnswer, type OutboundFailure } from '@app/outbound';
import { showBody } from './show-answer.js';

const FINAL: ReadonlySet<OutboundFailure> = new Set(['redirect', 'blocked-address', 'response-too-large']);
/** 4xx by number, and yet about the moment and not about the request. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429]);
const HONOURED: ReadonlySet<number> = new Set([429, 503]);
const RETRY_AFTER_MS_MAX = 86_400_000;
const BODY_SHOWN_MAX = 1_000;

/** @param expected null: 200 to 299 */
export function isExpected({ status }: OutboundAnswer, expected: readonly number[] | null): boolean {
  return expected === null ? status >= 200 && status <= 299 : expected.includes(status);
}

/** For an answer that was not expected. `now` is in ms since the epoch, for a `Retry-After` that names a time. */
export function failureOfAnswer(answer: OutboundAnswer, now: number): PermanentError | RetryableError {
  const { status } = answer;
  const code = `http-status-${status}`;
  const { body, encoding } = showBody(answer.body);
  const told = encoding === 'utf8' && body.trim() !== '' ? ` The beginning of its body: ${body.trim().slice(0, BODY_SHOWN_MAX)}` : '';
  const message = `The other side answered with status ${status}.${told}`;
  if (status < 500 && !PASSING.has(status)) return new PermanentError(message, { code });
  const retryAfterMs = HONOURED.has(status) ? pauseOf(answer.headers.get('retry-after'), now) : undefined;
  return new RetryableError({ message, code, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
}

/** For a request without an answer; whatever else was thrown stays what it is. */
export function failureOfRequest(error: unknown): unknown {
  if (error instanceof OutboundRefused) return new PermanentError(error.message, { code: error.code });
  if (!(error instanceof OutboundFailed)) return error;
  const { message, reason: code } = error;
  return FINAL.has(code) ? new PermanentError(message, { code }) : new RetryableError({ message, code });
}

/**
 * `Retry-After` in seconds or as a date, at most a day; undefined where it says nothing that can be followed. Zero is such a nothing: the
 * task's own pause is there so that a server in trouble is not asked again at once.
 */
function pauseOf(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const date = /^[A-Z][a-z]{2}, [A-Za-z0-9: ]{1,30} GMT$/.test(value) ? Date.parse(value) - now : Number.NaN;
  const ms = /^\d{1,10}$/.test(value) ? Number(value) * 1_000 : date;
  return ms > 0 ? Math.min(ms, RETRY_AFTER_MS_MAX) : undefined;
}
