/**
 * What a token must look like before any key touches it: three canonical base64url parts, a bounded size, and a header
 * without extensions. The library behind passport-jwt ignores `crit`, `b64` and `zip`, which would let two readers see two
 * different tokens in one text; so they are refused here.
 */

/** Longest accepted token, in characters. */
export const TOKEN_MAX_LENGTH = 8_192;
const KEY_ID_MAX_LENGTH = 128;
const PART = /^[A-Za-z0-9_-]+$/;
const REFUSED_HEADERS = ['crit', 'b64', 'zip', 'enc'];

/** @returns why the token cannot be accepted, or null where its form is right. */
export function shapeProblem(token: string): string | null {
  if (token.length > TOKEN_MAX_LENGTH) {
    return 'too long';
  }
  const parts = token.split('.');
  if (parts.length !== 3 || !parts.every(isCanonical)) {
    return 'not three canonical base64url parts';
  }
  const header = decodeObject(parts[0] ?? '');
  if (header === null || decodeObject(parts[1] ?? '') === null) {
    return 'header or claims are not a JSON object';
  }
  return headerProblem(header);
}

function headerProblem(header: Record<string, unknown>): string | null {
  if (REFUSED_HEADERS.some((name) => Object.hasOwn(header, name))) {
    return 'header extensions are not supported';
  }
  if (typeof header['alg'] !== 'string') {
    return 'alg is not a string';
  }
  const type = header['typ'];
  if (type !== undefined && (typeof type !== 'string' || !/^(at\+)?jwt$/i.test(type))) {
    return 'another kind of token';
  }
  const keyId = header['kid'];
  if (keyId !== undefined && (typeof keyId !== 'string' || keyId.length > KEY_ID_MAX_LENGTH)) {
    return 'kid is not a short string';
  }
  return null;
}

function isCanonical(part: string): boolean {
  return PART.test(part) && Buffer.from(part, 'base64url').toString('base64url') === part;
}

function decodeObject(part: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
