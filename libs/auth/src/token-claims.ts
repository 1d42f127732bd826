/**
 * Reads the claims of a token whose signature is already proved. Everything is checked strictly and nothing is guessed: a
 * tenant that is missing, reserved or oddly written ends the call, because every query is scoped by it. A token that
 * does not say when it was issued lives no longer from now on than others do in all, and counts as issued before any revocation.
 */
import { InvalidToken, TokenExpired } from './auth-errors.js';
import type { ClaimRules } from './claim-rules.js';
import type { Principal } from './principal.js';
import { scopesGrantedBy, type Scope } from './scopes.js';
import type { VerificationKey } from './token-keys.js';

/** The tenant of the platform's own tasks; no token may speak for it. */
export const SYSTEM_TENANT = 'system';

const TENANT = /^[A-Za-z0-9._:-]{1,64}$/;
const WORDS = /^[\x20-\x7e]{1,128}$/;
const SCOPE_TEXT_MAX_LENGTH = 1_024;
const AUDIENCES_MAX = 64;

type Claims = Readonly<Record<string, unknown>>;

export interface ReadClaims {
  readonly principal: Principal;
  /** The `iat` claim, in ms since the epoch; 0 where there is none. */
  readonly issuedAt: number;
  /** Ms since the epoch after which the token is refused, leeway included. */
  readonly expiresAt: number;
}

export interface VerifiedToken extends ReadClaims {
  /** What proved it: once this key is not ours any more, nothing does. */
  readonly key: VerificationKey;
}

/**
 * @param claims the payload of a token whose signature is right
 * @param now ms since the epoch
 * @throws InvalidToken, TokenExpired
 */
export function readClaims(claims: Claims, rules: ClaimRules, now: number): ReadClaims {
  assertAddressed(claims, rules);
  const times = readTimes(claims, rules, now);
  const who = words(claims, 'sub');
  const tokenId = claims['jti'] === undefined ? null : words(claims, 'jti');
  return {
    principal: { subject: who, tenant: tenant(claims), scopes: scopes(claims), credential: `sub:${who}`, tokenId },
    ...times,
  };
}

/** @throws TokenExpired where `expiresAt` is over */
export function assertAlive({ expiresAt }: Pick<ReadClaims, 'expiresAt'>, now: number): void {
  if (now > expiresAt) {
    throw new TokenExpired();
  }
}

/** Whether tokens may speak for this tenant. */
export function isTenant(text: string): boolean {
  return TENANT.test(text) && text !== SYSTEM_TENANT;
}

/** Whether a text may be the `sub` or the `jti` of a token: 1 to 128 printable characters. */
export function isTokenWord(value: unknown): value is string {
  return typeof value === 'string' && WORDS.test(value);
}

/** Issuer and audience, letter by letter. A token may be for others as well. */
function assertAddressed(claims: Claims, { issuer, audience }: ClaimRules): void {
  if (issuer !== null && claims['iss'] !== issuer) {
    throw new InvalidToken('iss is another issuer');
  }
  const given = claims['aud'];
  const audiences: unknown[] = Array.isArray(given) && given.length <= AUDIENCES_MAX ? given : [given];
  if (audience !== null && !audiences.includes(audience)) {
    throw new InvalidToken('aud is another audience');
  }
}

function readTimes(
  claims: Claims,
  { leewayMs, lifetimeMaxMs, issuedAtRequired }: ClaimRules,
  now: number,
): Pick<ReadClaims, 'issuedAt' | 'expiresAt'> {
  const expiry = instant(claims, 'exp');
  const issuedAt = instant(claims, 'iat');
  if (expiry === undefined || expiry <= 0) {
    throw new InvalidToken('exp is missing or not a time');
  }
  if (issuedAt === undefined ? issuedAtRequired : issuedAt <= 0) {
    throw new InvalidToken('iat is missing or not a time');
  }
  assertAlive({ expiresAt: expiry + leewayMs }, now);
  if ((instant(claims, 'nbf') ?? 0) > now + leewayMs) {
    throw new InvalidToken('nbf is in the future');
  }
  if (issuedAt !== undefined && issuedAt > now + leewayMs) {
    throw new InvalidToken('iat is in the future');
  }
  if (expiry - (issuedAt ?? now) > lifetimeMaxMs) {
    throw new InvalidToken('its life, iat to exp, is too long');
  }
  return { issuedAt: issuedAt ?? 0, expiresAt: expiry + leewayMs };
}

function words(claims: Claims, name: 'sub' | 'jti'): string {
  const value = claims[name];
  if (!isTokenWord(value)) {
    throw new InvalidToken(`${name} is missing or not 1 to 128 printable characters`);
  }
  return value;
}

function tenant(claims: Claims): string {
  const value = claims['tenant'];
  if (typeof value !== 'string' || !isTenant(value)) {
    throw new InvalidToken('tenant is missing, reserved or not 1 to 64 of [A-Za-z0-9._:-]');
  }
  return value;
}

/** Scopes this version does not know are passed over: an issuer may serve newer versions too. */
function scopes(claims: Claims): ReadonlySet<Scope> {
  const value = claims['scope'] ?? '';
  if (typeof value !== 'string' || value.length > SCOPE_TEXT_MAX_LENGTH) {
    throw new InvalidToken('scope is not a short text');
  }
  return new Set(value.split(' ').flatMap(scopesGrantedBy));
}

function instant(claims: Claims, name: string): number | undefined {
  const seconds = claims[name];
  if (seconds === undefined) {
    return undefined;
  }
  if (typeof seconds !== 'number' || !Number.isFinite(seconds)) {
    throw new InvalidToken(`${name} is not a number`);
  }
  return Math.floor(seconds) * 1_000;
}
