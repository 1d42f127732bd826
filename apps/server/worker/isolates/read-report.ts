/**
 * The door for what isolates say. A handler can send anything over the same channel, on purpose or by accident (`process.send`), so
 * nothing is believed to be a report that has not been looked at: an error in the worker would cost every other task its attempt.
 */
import type { FailureDescription } from '@app/handlers';
import type { Report } from './messages.js';

/** In place of a message that is no report. */
export const UNREADABLE = { type: 'unreadable' } as const;

export type Heard = Report | typeof UNREADABLE;

type Fields = Readonly<Record<string, unknown>>;
type Check = (report: Fields) => boolean;

const CHECKS = new Map<unknown, Check>(
  Object.entries({
    ready: () => true,
    'not-loaded': ({ message }) => isText(message),
    asked: ({ key, ask, wanted }) => isText(key) && isNumber(ask) && isFields(wanted) && (ASKS.get(wanted['what'])?.(wanted) ?? false),
    logged: ({ key, level, message, fields }) => isText(key) && LEVELS.has(level) && isText(message) && isObjectText(fields),
    returned: ({ key, json, clean }) => isText(key) && isText(json) && typeof clean === 'boolean',
    threw: ({ key, failure, clean }) => isText(key) && isFailure(failure) && typeof clean === 'boolean',
    crashed: ({ key, failure }) => (key === null || isText(key)) && isFailure(failure),
  } satisfies Record<Report['type'], Check>),
);

/** What is asked for is judged by whoever serves it; here only that it can be. */
const ASKS = new Map<unknown, Check>([
  ['progress', () => true],
  ['checkpoint', ({ json }) => isText(json)],
  ['register', ({ kind, ref }) => isText(kind) && isText(ref)],
  ['release', ({ id }) => isText(id)],
]);
const LEVELS: ReadonlySet<unknown> = new Set(['debug', 'info', 'warn', 'error']);

/** The message itself where it is a report. */
export function readReport(message: unknown): Heard {
  if (!isFields(message)) return UNREADABLE;
  return (CHECKS.get(message['type'])?.(message) ?? false) ? (message as unknown as Report) : UNREADABLE;
}

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string';
const isNumber = (value: unknown): value is number => Number.isFinite(value);

function isFailure(value: unknown): value is FailureDescription {
  if (!isFields(value)) return false;
  const { permanent, retryAfterMs, deferMs, code, message } = value;
  const pauses = [retryAfterMs, deferMs].every((ms) => ms === null || isNumber(ms));
  return typeof permanent === 'boolean' && pauses && isText(code) && isText(message);
}

function isObjectText(value: unknown): boolean {
  try {
    return isText(value) && isFields(JSON.parse(value));
  } catch {
    return false;
  }
}
