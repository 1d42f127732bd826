/**
 * What a token must look like before any key touches it: three canonical base64url parts, a bounded size, and a header
 * without extensions. The library behind passport-jwt ignores `crit`, `b64` and `zip`, which would let two readers see two
 * different tokens in one text; so they are refused here, as are keys that are written twice. Of the header only `alg`, `kid` and
 * `typ` are looked at: a key or an address of one that a token brings along (`jwk`, `jku`, `x5u`, `x5c`) is nobody's business.
 */
import { InvalidToken } from './auth-errors.js';
import type { ClaimRules } from './claim-rules.js';
import { hasDuplicateKey } from './duplicate-key.js';

/** Longest accepted token, in characters. */
export const TOKEN_MAX_LENGTH = 8_192;
const PART = /^[A-Za-z0-9_-]+$/;
/** No more than a key in a map; control characters, spaces and what is not ASCII have no place in one. */
const KEY_ID = /^[\x21-\x7e]{1,128}$/;
const ANY_TYPE = /^(application\/)?(at\+)?jwt$/i;
const ACCESS_TOKEN_TYPE = /^(application\/)?at\+jwt$/i;
/** `cty` announces a token inside the token. */
const REFUSED_HEADERS = ['crit', 'b64', 'zip', 'enc', 'cty'];

export interface TokenHeader {
  readonly algorithm: string;
  readonly keyId: string | null;
}

/** @throws InvalidToken saying why the token cannot be accepted */
export function readHeader(token: string, { type }: Pick<ClaimRules, 'type'>): TokenHeader {
  if (token.length > TOKEN_MAX_LENGTH) {
    throw new InvalidToken('too long');
  }
  const parts = token.split('.');
  if (parts.length !== 3 || !parts.every(isCanonical)) {
    throw new InvalidToken('not three canonical base64url parts');
  }
  const header = decodeObject(parts[0]);
  decodeObject(parts[1]);
  if (REFUSED_HEADERS.some((name) => Object.hasOwn(header, name))) {
    throw new InvalidToken('header extensions are not supported');
  }
  assertType(header['typ'], type);
  return { algorithm: algorithmIn(header), keyId: keyIdIn(header) };
}

/** The claims of a token whose header was read. @throws InvalidToken */
export function claimsOf(token: string): Record<string, unknown> {
  return decodeObject(token.split('.')[1]);
}

function assertType(given: unknown, wanted: ClaimRules['type']): void {
  const isRight =
    wanted === 'any'
      ? given === undefined || (typeof given === 'string' && ANY_TYPE.test(given))
      : typeof given === 'string' && ACCESS_TOKEN_TYPE.test(given);
  if (!isRight) {
    throw new InvalidToken('another kind of token');
  }
}

function algorithmIn(header: Record<string, unknown>): string {
  const algorithm = header['alg'];
  if (typeof algorithm !== 'string') {
    throw new InvalidToken('alg is not a string');
  }
  return algorithm;
}

function keyIdIn(header: Record<string, unknown>): string | null {
  const keyId = header['kid'];
  if (keyId === undefined) {
    return null;
  }
  if (typeof keyId !== 'string' || !KEY_ID.test(keyId)) {
    throw new InvalidToken('kid is not a short printable text');
  }
  return keyId;
}

function isCanonical(part: string): boolean {
  return PART.test(part) && Buffer.from(part, 'base64url').toString('base64url') === part;
}

function decodeObject(part = ''): Record<string, unknown> {
  const text = Buffer.from(part, 'base64url').toString('utf8');
  const value = parse(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidToken('header or claims are not a JSON object');
  }
  if (hasDuplicateKey(text)) {
    throw new InvalidToken('a key is written twice in the header or the claims');
  }
  return value as Record<string, unknown>;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
