/**
 * What may stand in a log. Three things are kept out wherever they appear: secrets (by the name of their field and by their
 * shape inside any text), the payloads and results of tasks (they belong to the tenant), and characters that would break a
 * line or drive a terminal. Everything is bounded, so one careless caller cannot fill a disk with one line.
 */
import { types } from 'node:util';

const TEXT_MAX = 2_048;
/** Texts longer than this are cut before they are searched, which bounds the time one line may take. */
const SEARCH_MAX = 16_384;
const DEPTH_MAX = 6;
const ENTRIES_MAX = 64;
/** Values in one line, counted over all depths. */
const VALUES_MAX = 512;
const CAUSES_MAX = 5;

const SECRET_NAME = /authorization|cookie|passw(or)?d|passphrase|secret|token|jwt|credential|(api|private|signing)[-_]?key/i;
const TASK_DATA_NAMES: ReadonlySet<string> = new Set(['payload', 'result', 'body', 'rawbody']);

const SECRET_SHAPES: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^]*?(-----END [A-Z ]{0,30}PRIVATE KEY-----|$)/g, '[redacted]'],
  [/\beyJ[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*){0,4}/g, '[redacted]'],
  // An API key, also one that was cut off: its id may be shown.
  [/\b(trx_[A-Za-z0-9]{1,64})_[A-Za-z0-9_]+/g, '$1_[redacted]'],
  [/\b(Bearer|Basic)\s+[^\s"',;]+/gi, '$1 [redacted]'],
  [/\b([a-z][a-z0-9+.-]{1,30}:\/\/)[^\s/"'<>]*@/gi, '$1[redacted]@'],
  [/((?:set-)?cookie[\\"']{0,8}\s{0,4}[=:]\s{0,4})[^\r\n]+/gi, '$1[redacted]'],
  [
    /((?:authorization|passw(?:or)?d|passphrase|secret|token|credential|(?:api|private|signing)[-_]?key)[\\"']{0,8}\s{0,4}[=:]\s{0,4}[\\"']{0,8})(?!Bearer |Basic )[^\s\\"',;&]+/gi,
    '$1[redacted]',
  ],
];

/** Control, line-separating and text-direction characters. */
const UNSAFE = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
const UNSAFE_BUT_LINES = /(?![\n\t])[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** A text without secrets or control characters, at most 2 kB long. `lines` keeps line breaks and tabs, for stacks only. */
export function safeText(text: string, { lines = false }: { lines?: boolean } = {}): string {
  let safe = text.length > SEARCH_MAX ? text.slice(0, SEARCH_MAX) : text;
  for (const [shape, replacement] of SECRET_SHAPES) safe = safe.replace(shape, replacement);
  safe = safe.replace(lines ? UNSAFE_BUT_LINES : UNSAFE, visible);
  return safe.length > TEXT_MAX ? `${safe.slice(0, TEXT_MAX)}… [${text.length} characters]` : safe;
}

/** How far one line has been walked: what it may still show, and the objects above the present one. */
interface Walk {
  readonly budget: { left: number };
  readonly above: readonly object[];
}

function start(): Walk {
  return { budget: { left: VALUES_MAX }, above: [] };
}

/** The fields of an object by their names: secrets and task data replaced, the rest made safe for a log and bounded. */
export function safeFields(fields: object, walk: Walk = start()): Record<string, unknown> {
  const safe: Record<string, unknown> = {};
  const names = ownNames(fields);
  for (const name of names.slice(0, ENTRIES_MAX)) {
    const shownName = safeText(name);
    if (TASK_DATA_NAMES.has(name.toLowerCase())) safe[shownName] = '[omitted]';
    else if (SECRET_NAME.test(name)) safe[shownName] = '[redacted]';
    else safe[shownName] = safeValue(read(fields, name), walk);
  }
  if (names.length > ENTRIES_MAX) safe['…'] = `${names.length - ENTRIES_MAX} more`;
  return safe;
}

/** A value made safe for a log, whatever it is: cycles, throwing getters and BigInt included. */
function safeValue(value: unknown, walk: Walk): unknown {
  if (walk.budget.left <= 0) return '[more]';
  walk.budget.left -= 1;
  switch (typeof value) {
    case 'string':
      return safeText(value);
    case 'bigint':
      return safeText(value.toString());
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'boolean':
    case 'undefined':
      return value;
    case 'function':
    case 'symbol':
      return `[${typeof value}]`;
    case 'object':
      return value === null ? null : safeObject(value, walk);
  }
}

function safeObject(value: object, { budget, above }: Walk): unknown {
  if (above.includes(value)) return '[circular]';
  if (above.length >= DEPTH_MAX) return '[deep]';
  const below: Walk = { budget, above: [...above, value] };
  // Also one that was made in another context, of which `instanceof` knows nothing.
  if (value instanceof Error || types.isNativeError(value)) return safeError(value, below);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '[invalid date]' : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (value instanceof Map || value instanceof Set) return `[${value.size} entries]`;
  if (!Array.isArray(value)) return safeFields(value, below);
  const items: unknown[] = value.slice(0, ENTRIES_MAX).map((item) => safeValue(item, below));
  if (value.length > ENTRIES_MAX) items.push(`… ${value.length - ENTRIES_MAX} more`);
  return items;
}

/** An error with its code, message, stack and chain of causes. Other properties stay out: drivers keep SQL and parameters there. */
function safeError(error: Error, below: Walk): Record<string, unknown> {
  const safe: Record<string, unknown> = { type: textOf(error, 'name') };
  const code = read(error, 'code');
  if (typeof code === 'string' || typeof code === 'number') safe['code'] = safeValue(code, below);
  safe['message'] = textOf(error, 'message');
  safe['stack'] = textOf(error, 'stack', { lines: true });
  const cause = read(error, 'cause');
  if (cause !== undefined) safe['cause'] = safeValue(cause, below);
  const errors = read(error, 'errors');
  if (Array.isArray(errors)) safe['errors'] = errors.slice(0, CAUSES_MAX).map((inner) => safeValue(inner, below));
  return safe;
}

function textOf(error: Error, name: string, options?: { lines: boolean }): string | undefined {
  const value = read(error, name);
  return typeof value === 'string' ? safeText(value, options) : undefined;
}

/** A property of anything, where reading it may throw. */
function read(target: object, name: string): unknown {
  try {
    return Reflect.get(target, name) as unknown;
  } catch {
    return '[unreadable]';
  }
}

function ownNames(target: object): string[] {
  try {
    return Object.keys(target);
  } catch {
    return [];
  }
}

function visible(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
