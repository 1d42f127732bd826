/**
 * How requests are limited on both sides of authentication. Before it, an address (or a key id) that has failed too often is refused
 * and nothing of its credential is looked at, except one that was verified a moment ago: behind one address there may be others who
 * have done nothing. After it, tenant and credential are charged before the scopes are compared and before a byte of the body is
 * read, and every answer says in the fields `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers) how they stand.
 */
import type { Request, Response } from 'express';
import { RateLimited, type AttemptLimits, type RateLimiter } from '@app/limits';
import { InvalidToken } from './auth-errors.js';
import { callerAddress } from './caller-address.js';
import type { Principal } from './principal.js';

/** The part of an API key that names it. */
const KEY_ID = /^trx_([A-Za-z0-9]{1,64})_/;

/** Runs a verification, unless too many have failed, and counts it where it fails. @throws RateLimited, and what `verify` throws */
export async function attempt<T>(limits: AttemptLimits, request: Request, credential: string, verify: () => Promise<T>): Promise<T> {
  const address = callerAddress(request);
  const keyId = KEY_ID.exec(credential)?.[1] ?? null;
  limits.assertMayTry(address, keyId);
  try {
    return await verify();
  } catch (error) {
    if (error instanceof InvalidToken) {
      limits.failed(address, keyId);
    }
    throw error;
  }
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
