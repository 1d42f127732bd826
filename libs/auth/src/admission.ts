/**
 * How requests are limited on both sides of authentication. Before it, failed attempts are counted by their address (and by the key id):
 * who has failed too often is told that, whatever else is wrong. A good credential is let in all the same, because behind one address
 * there may be others who have done nothing; only where looking at it would cost a statement is it not looked at. After it, tenant
 * and credential are charged before the scopes are compared and before a byte of the body is read, and every answer says in
 * the fields `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers) how they stand.
 */
import type { Request, Response } from 'express';
import { RateLimited, type AttemptLimits, type RateLimiter } from '@app/limits';
import { InvalidToken, TokenExpired } from './auth-errors.js';
import { callerAddress } from './caller-address.js';
import type { Principal } from './principal.js';

/** The part of an API key that names it. */
const KEY_ID = /^trx_([A-Za-z0-9]{1,64})_/;

/**
 * Runs a verification and counts it where it fails. `isCostly`: it would ask the database.
 * @throws RateLimited where too many have failed, and what `verify` throws
 */
export async function attempt<T>(
  limits: AttemptLimits,
  request: Request,
  { credential, isCostly }: { readonly credential: string; readonly isCostly: boolean },
  verify: () => Promise<T>,
): Promise<T> {
  if (isCostly) {
    const { address, keyId } = triedBy(request, credential);
    limits.assertMayTry(address, keyId);
  }
  try {
    return await verify();
  } catch (error) {
    if (error instanceof InvalidToken || error instanceof TokenExpired) {
      const { address, keyId } = triedBy(request, credential);
      limits.assertMayTry(address, keyId);
      limits.failed(address, keyId);
    }
    throw error;
  }
}

/** Whom a failure is counted against. Looked at only where it is needed: a credential that is good and remembered costs nothing here. */
function triedBy(request: Request, credential: string): { address: string; keyId: string | null } {
  return { address: callerAddress(request), keyId: KEY_ID.exec(credential)?.[1] ?? null };
}

/** Charges the request. @throws RateLimited */
export async function admit(limiter: RateLimiter, principal: Principal, response: Response): Promise<void> {
  const answer = limiter.admit(principal);
  const { refused, policy, state } = answer instanceof Promise ? await answer : answer;
  response.setHeader('RateLimit-Policy', policy);
  response.setHeader('RateLimit', state);
  if (refused !== null) {
    throw new RateLimited(refused.who, refused.waitMs);
  }
}
