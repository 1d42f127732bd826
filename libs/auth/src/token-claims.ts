/**
 * Reads the claims of a token whose signature is already proved. Everything is checked strictly and nothing is guessed: a
 * tenant that is missing, reserved or oddly written ends the call, because every query is scoped by it.
 */
import { InvalidToken, TokenExpired } from './auth-errors.js';
import type { Principal } from './principal.js';
import { scopesGrantedBy, type Scope } from './scopes.js';

/** How far the clocks of issuer and verifier may differ, in ms. */
export const CLOCK_LEEWAY_MS = 60_000;
/** The tenant of the platform's own tasks; no token may speak for it. */
export const SYSTEM_TENANT = 'system';

const TENANT = /^[A-Za-z0-9._:-]{1,64}$/;
const SUBJECT = /^[\x20-\x7e]{1,128}$/;
const SCOPE_TEXT_MAX_LENGTH = 1_024;

export interface VerifiedToken {
  readonly principal: Principal;
  /** Ms since the epoch after which the token is refused, leeway not included. */
  readonly expiresAt: number;
}

/**
 * @param claims the payload of a token whose signature, issuer and audience are right
 * @param now ms since the epoch
 * @throws InvalidToken, TokenExpired
 */
export function readClaims(claims: Readonly<Record<string, unknown>>, now: number): VerifiedToken {
  const expiresAt = instant(claims, 'exp');
  if (expiresAt === undefined || expiresAt <= 0) {
    throw new InvalidToken('exp is missing or not a time');
  }
  assertAlive(expiresAt, now);
  const notBefore = instant(claims, 'nbf');
  if (notBefore !== undefined && notBefore > now + CLOCK_LEEWAY_MS) {
    throw new InvalidToken('nbf is in the future');
  }
  const issuedAt = instant(claims, 'iat');
  if (issuedAt !== undefined && issuedAt > now + CLOCK_LEEWAY_MS) {
    throw new InvalidToken('iat is in the future');
  }
  const who = subject(claims);
  return { principal: { subject: who, tenant: tenant(claims), scopes: scopes(claims), credential: `sub:${who}` }, expiresAt };
}

/** @throws TokenExpired where `expiresAt` is over, leeway included. */
export function assertAlive(expiresAt: number, now: number): void {
  if (now > expiresAt + CLOCK_LEEWAY_MS) {
    throw new TokenExpired();
  }
}

/** Whether tokens may speak for this tenant. */
export function isTenant(text: string): boolean {
  return TENANT.test(text) && text !== SYSTEM_TENANT;
}

function subject(claims: Readonly<Record<string, unknown>>): string {
  const value = claims['sub'];
  if (typeof value !== 'string' || !SUBJECT.test(value)) {
    throw new InvalidToken('sub is missing or not 1 to 128 printable characters');
  }
  return value;
}

function tenant(claims: Readonly<Record<string, unknown>>): string {
  const value = claims['tenant'];
  if (typeof value !== 'string' || !isTenant(value)) {
    throw new InvalidToken('tenant is missing, reserved or not 1 to 64 of [A-Za-z0-9._:-]');
  }
  return value;
}

/** Scopes this version does not know are passed over: an issuer may serve newer versions too. */
function scopes(claims: Readonly<Record<string, unknown>>): ReadonlySet<Scope> {
  const value = claims['scope'] ?? '';
  if (typeof value !== 'string' || value.length > SCOPE_TEXT_MAX_LENGTH) {
    throw new InvalidToken('scope is not a short text');
  }
  return new Set(value.split(' ').flatMap(scopesGrantedBy));
}

function instant(claims: Readonly<Record<string, unknown>>, name: string): number | undefined {
  const seconds = claims[name];
  if (seconds === undefined) {
    return undefined;
  }
  if (typeof seconds !== 'number' || !Number.isFinite(seconds)) {
    throw new InvalidToken(`${name} is not a number`);
  }
  return Math.floor(seconds) * 1_000;
}
