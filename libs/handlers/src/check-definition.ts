/**
 * Decides whether something is a handler. It is asked at the definition and again at the registration, because modules of
 * `HANDLERS_DIR` are plain JavaScript that no compiler has seen. An unknown key is refused: a misspelt `timeoutMs` that is
 * silently ignored is found out in production.
 */
import { InvalidHandler } from './boot-errors.js';
import type { HandlerBackoff, HandlerDefinition } from './definition.js';

const HANDLER_NAME = /^[A-Za-z0-9._:-]{1,128}$/;
const DAY_MS = 86_400_000;
const BACKOFFS: readonly HandlerBackoff[] = ['exponential', 'linear', 'fixed'];
const KEYS = ['name', 'timeoutMs', 'retry', 'isolation', 'memoryMb', 'payloadSchema', 'fallback', 'onAbandon', 'run'];
const ISOLATIONS: readonly unknown[] = ['thread', 'process'];
const MEMORY_MB_MIN = 16;
const MEMORY_MB_MAX = 65_536;
const RETRY_KEYS = ['maxAttempts', 'backoff', 'baseMs', 'maxMs', 'jitter'];

/**
 * @param origin where the definition comes from, in words for the operator and without a path.
 * @throws InvalidHandler with everything that is wrong.
 */
export function checkDefinition(definition: unknown, origin: string): asserts definition is HandlerDefinition {
  if (typeof definition !== 'object' || definition === null || Array.isArray(definition)) {
    throw new InvalidHandler(origin, ['it must be an object { name, run(payload, context) }']);
  }
  const { name, timeoutMs, retry, isolation, memoryMb, payloadSchema, fallback, onAbandon, run } = definition as Record<string, unknown>;
  const problems = [
    ...(isName(name) ? [] : ['"name" must be 1 to 128 of A-Z a-z 0-9 . _ : -']),
    ...(typeof run === 'function' ? [] : ['"run" must be a function (payload, context)']),
    ...wholeNumber('timeoutMs', timeoutMs, 1, DAY_MS),
    ...(retry === undefined ? [] : retryProblems(retry)),
    ...isolationProblems(isolation, memoryMb),
    ...(payloadSchema === undefined || isPlainObject(payloadSchema) ? [] : ['"payloadSchema" must be an object, a JSON Schema']),
    ...(fallback === undefined || isName(fallback) ? [] : ['"fallback" must be the name of a handler']),
    ...(onAbandon === undefined || typeof onAbandon === 'function' ? [] : ['"onAbandon" must be a function (resource, context)']),
    ...unknownKeys(definition, KEYS, 'a handler'),
  ];
  if (problems.length > 0) throw new InvalidHandler(isName(name) ? `${origin} ("${name}")` : origin, problems);
}

const isName = (value: unknown): value is string => typeof value === 'string' && HANDLER_NAME.test(value);

const isPlainObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);

function retryProblems(retry: unknown): string[] {
  if (typeof retry !== 'object' || retry === null || Array.isArray(retry)) return [`"retry" must be an object of ${RETRY_KEYS.join(', ')}`];
  const { maxAttempts, backoff, baseMs, maxMs, jitter } = retry as Record<string, unknown>;
  const jitterFits = jitter === undefined || (typeof jitter === 'number' && jitter >= 0 && jitter <= 1);
  return [
    ...wholeNumber('retry.maxAttempts', maxAttempts, 1, 100),
    ...(backoff === undefined || BACKOFFS.some((known) => known === backoff)
      ? []
      : [`"retry.backoff" must be one of ${BACKOFFS.join(', ')}`]),
    ...wholeNumber('retry.baseMs', baseMs, 0, DAY_MS),
    ...wholeNumber('retry.maxMs', maxMs, 0, DAY_MS),
    ...(jitterFits ? [] : ['"retry.jitter" must be a number from 0 to 1']),
    ...(typeof baseMs === 'number' && typeof maxMs === 'number' && baseMs > maxMs
      ? ['"retry.baseMs" must not be greater than "retry.maxMs"']
      : []),
    ...unknownKeys(retry, RETRY_KEYS, '"retry"'),
  ];
}

function isolationProblems(isolation: unknown, memoryMb: unknown): string[] {
  return [
    ...(isolation === undefined || ISOLATIONS.includes(isolation) ? [] : ['"isolation" must be "thread" or "process"']),
    ...wholeNumber('memoryMb', memoryMb, MEMORY_MB_MIN, MEMORY_MB_MAX),
    ...(memoryMb !== undefined && isolation === undefined
      ? ['"memoryMb" needs "isolation": the memory of a shared process has no limit']
      : []),
  ];
}

function wholeNumber(key: string, value: unknown, min: number, max: number): string[] {
  if (value === undefined) return [];
  const fits = typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
  return fits ? [] : [`"${key}" must be a whole number from ${min} to ${max}`];
}

function unknownKeys(target: object, known: readonly string[], what: string): string[] {
  return Object.keys(target)
    .filter((key) => !known.includes(key))
    .map((key) => `"${key.slice(0, 64)}" is not a key of ${what}, which has ${known.join(', ')}`);
}
