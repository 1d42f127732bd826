/**
 * Looks at JSON text once, before `JSON.parse` does, for what that function would accept in silence: a key that is written
 * twice, nesting without end, numbers that would become other numbers, half characters, and keys that reach for an object's
 * prototype; and for more keys and values than anybody means. It is no parser: text that is not JSON may pass here and fails there. It keeps its own stack, so nesting
 * costs memory in proportion to the text and never the call stack.
 */

export type JsonFinding =
  | 'duplicate-key'
  | 'forbidden-key'
  | 'payload-too-deep'
  | 'key-too-long'
  | 'too-many-keys'
  | 'too-many-values'
  | 'number-not-representable'
  | 'invalid-unicode'
  | 'malformed-json';

export interface JsonScanLimits {
  /** Deepest accepted nesting of objects and arrays, the outermost counted as 1. */
  readonly maxDepth: number;
  /** Most keys of one object. */
  readonly maxKeys: number;
  /** Most values in all, containers among them: small ones take many times their size in memory. */
  readonly maxValues: number;
}

/** Longest accepted key, in UTF-16 units. */
export const KEY_MAX_LENGTH = 4_096;

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;

const NUMBER = /-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
/** Digits a double holds whatever they are; shorter numbers without exponent need no closer look. */
const SURE_DIGITS = 15;
const LONE_SURROGATE = /\p{Surrogate}/u;

/** @returns the first thing found, or null where nothing speaks against handing the text to `JSON.parse`. */
export function scanJson(text: string, limits: JsonScanLimits): JsonFinding | null {
  /** One entry per open container: the keys seen so far of an object, or null for an array. */
  const open: (Set<string> | null)[] = [];
  let expectsKey = false;
  /** Every value but the first of a container follows a comma. */
  let values = 1;
  let at = 0;
  while (at < text.length) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) {
      const end = endOfString(text, at);
      const keys = expectsKey ? open.at(-1) : undefined;
      const finding = end === -1 ? 'malformed-json' : lookAtString(text.slice(at, end), keys ?? null, limits);
      if (finding !== null) {
        return finding;
      }
      expectsKey = false;
      at = end;
      continue;
    }
    if (unit === OPEN_BRACE || unit === OPEN_BRACKET) {
      open.push(unit === OPEN_BRACE ? new Set() : null);
      expectsKey = unit === OPEN_BRACE;
      values += 1;
      if (open.length > limits.maxDepth) {
        return 'payload-too-deep';
      }
    } else if (unit === CLOSE_BRACE || unit === CLOSE_BRACKET) {
      open.pop();
      expectsKey = false;
    } else if (unit === COMMA) {
      values += 1;
      expectsKey = open.at(-1) instanceof Set;
    } else if (unit === MINUS || (unit >= 0x30 && unit <= 0x39)) {
      NUMBER.lastIndex = at;
      const token = NUMBER.exec(text)?.[0];
      if (token !== undefined) {
        if (!isRepresentable(token)) {
          return 'number-not-representable';
        }
        at += token.length;
        continue;
      }
    }
    if (values > limits.maxValues) {
      return 'too-many-values';
    }
    at += 1;
  }
  return null;
}

/** Index after the closing quote, or -1. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit === BACKSLASH) {
      at += 1;
    } else if (unit === QUOTE) {
      return at + 1;
    }
  }
  return -1;
}

/** `keys`: the keys of the object this string is a key of; null for a value. */
function lookAtString(literal: string, keys: Set<string> | null, limits: JsonScanLimits): JsonFinding | null {
  if (keys === null && !literal.includes('\\u')) {
    return null;
  }
  let value = literal.slice(1, -1);
  if (literal.includes('\\')) {
    try {
      value = JSON.parse(literal) as string;
    } catch {
      return 'malformed-json';
    }
    if (LONE_SURROGATE.test(value)) {
      return 'invalid-unicode';
    }
  }
  return keys === null ? null : lookAtKey(value, keys, limits);
}

function lookAtKey(key: string, keys: Set<string>, { maxKeys }: JsonScanLimits): JsonFinding | null {
  if (key === '__proto__') {
    return 'forbidden-key';
  }
  if (key.length > KEY_MAX_LENGTH) {
    return 'key-too-long';
  }
  if (keys.has(key)) {
    return 'duplicate-key';
  }
  if (keys.size >= maxKeys) {
    return 'too-many-keys';
  }
  keys.add(key);
  return null;
}

/**
 * Whether the number survives as a double: finite, not rounded to zero, and, where it is a whole number, still the same one.
 * Digits after the point may round, as they do everywhere.
 */
function isRepresentable(token: string): boolean {
  if (token.length <= SURE_DIGITS && !/[eE]/.test(token)) {
    return true;
  }
  const value = Number(token);
  if (!Number.isFinite(value)) {
    return false;
  }
  if (value === 0) {
    return !/[1-9]/.test(token.split(/[eE]/)[0] ?? '');
  }
  if (!/^-?[0-9]+$/.test(token) || Number.isSafeInteger(value)) {
    return true;
  }
  return String(value) === token || BigInt(value) === BigInt(token);
}
