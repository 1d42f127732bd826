/**
 * Turns whatever a handler threw into what is stored about it. Anything can be thrown, also by code that means harm, so
 * every property is read as if reading it could throw, nothing is converted by the thrown object's own methods, and the
 * outcome is bounded.
 */

export interface FailureDescription {
  /** No further attempt would help. */
  permanent: boolean;
  /** Pause the handler asked for, a whole number of ms from 0 to 30 days; null where it asked for none. */
  retryAfterMs: number | null;
  /** For how long the handler put the task off, a whole number of ms from 0 to 30 days; null where it did not. It is no failure then. */
  deferMs: number | null;
  /** 1 to 64 of `[A-Za-z0-9._:-]`; `handler-error` where the error brings none. */
  code: string;
  /** At most 2,000 characters, without control characters, never empty. */
  message: string;
}

export const FAILURE_CODE_MAX = 64;
export const FAILURE_MESSAGE_MAX = 2_000;
export const RETRY_AFTER_MS_MAX = 2_592_000_000;

const DEFAULT_CODE = 'handler-error';
/** Control and line-separating characters, and halves of surrogate pairs, which no database can store. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u2028\u2029]+/gu;

/** Classifies a thrown value. Never throws. */
export function describeFailure(thrown: unknown): FailureDescription {
  const name = read(thrown, 'name');
  const permanent = name === 'PermanentError' || read(thrown, 'retryable') === false;
  return {
    permanent,
    retryAfterMs: permanent ? null : pauseOf(read(thrown, 'retryAfterMs')),
    deferMs: !permanent && name === 'DeferError' ? pauseOf(read(thrown, 'delayMs')) : null,
    code: codeOf(read(thrown, 'code')),
    message: messageOf(thrown),
  };
}

/** A text that can be stored and shown: no control characters, at most `FAILURE_MESSAGE_MAX` characters. */
export function printable(text: string): string {
  return text
    .slice(0, FAILURE_MESSAGE_MAX + 1)
    .replace(UNPRINTABLE, ' ')
    .slice(0, FAILURE_MESSAGE_MAX)
    .replace(UNPRINTABLE, '')
    .trim();
}

function isPrimitive(thrown: unknown): thrown is number | bigint | boolean | symbol {
  return typeof thrown !== 'object' && typeof thrown !== 'function';
}

function messageOf(thrown: unknown): string {
  if (typeof thrown === 'string') return printable(thrown) || 'The handler threw an empty text.';
  if (thrown === null || thrown === undefined) return `The handler threw ${thrown === null ? 'null' : 'undefined'}.`;
  if (isPrimitive(thrown)) return `The handler threw ${printable(String(thrown))}.`;
  const message = read(thrown, 'message');
  const name = read(thrown, 'name');
  if (typeof message === 'string' && printable(message) !== '') return printable(message);
  if (typeof name === 'string' && printable(name) !== '') return `The handler threw ${printable(name).slice(0, 64)} without a message.`;
  return 'The handler threw an object without a message.';
}

function codeOf(code: unknown): string {
  if (typeof code !== 'string') return DEFAULT_CODE;
  const safe = code
    .slice(0, FAILURE_CODE_MAX)
    .replace(/[^A-Za-z0-9._:-]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return safe === '' ? DEFAULT_CODE : safe;
}

/** In whole ms, at most RETRY_AFTER_MS_MAX; null for what is no pause. */
export function pauseOf(value: unknown): number | null {
  return typeof value === 'number' && value >= 0 ? Math.min(Math.ceil(value), RETRY_AFTER_MS_MAX) : null;
}

function read(target: unknown, name: string): unknown {
  if ((typeof target !== 'object' && typeof target !== 'function') || target === null) return undefined;
  try {
    return Reflect.get(target, name) as unknown;
  } catch {
    return undefined;
  }
}
