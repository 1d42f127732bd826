/** Signs tokens with the shared secret: for the banner of an embedded start, for `npm run token`, and for tests. */
import jwt from 'jsonwebtoken';
import type { Clock } from '@app/lifecycle';
import { InvalidConfiguration } from '@app/errors';
import type { Scope } from './scopes.js';
import type { SigningKey } from './signing-key.js';
import { isTenant } from './token-claims.js';

export interface TokenRequest {
  readonly tenant: string;
  readonly subject: string;
  readonly scopes: readonly Scope[];
  /** Life of the token, in ms; rounded down to whole seconds, at least one. */
  readonly ttlMs: number;
  /** The `jti` claim, by which this one token can be revoked; none unless given. */
  readonly tokenId?: string;
}

/**
 * @throws InvalidConfiguration where there is no shared secret, the tenant is not one that tokens may speak for, or the token
 *   would live longer than is accepted
 */
export function issueToken(key: SigningKey, clock: Clock, request: TokenRequest): string {
  const { issuer, audience, lifetimeMaxMs, type } = key.rules;
  if (!key.canSign) {
    throw new InvalidConfiguration(['Tokens are signed elsewhere: only a public key is configured here.']);
  }
  if (!isTenant(request.tenant)) {
    throw new InvalidConfiguration(['The tenant must be 1 to 64 of [A-Za-z0-9._:-] and not "system".']);
  }
  const issuedAt = Math.floor(clock.now() / 1_000);
  const lifeSeconds = Math.max(1, Math.floor(request.ttlMs / 1_000));
  if (lifeSeconds * 1_000 > lifetimeMaxMs) {
    const limit = `${Math.floor(lifetimeMaxMs / 1_000)} s`;
    throw new InvalidConfiguration([`A token may live for ${limit} at most. Ask for less, or raise AUTH_TOKEN_LIFETIME_MAX_MS.`]);
  }
  const claims = {
    sub: request.subject,
    tenant: request.tenant,
    scope: request.scopes.join(' '),
    iat: issuedAt,
    exp: issuedAt + lifeSeconds,
    ...(request.tokenId === undefined ? {} : { jti: request.tokenId }),
    ...(issuer === null ? {} : { iss: issuer }),
    ...(audience === null ? {} : { aud: audience }),
  };
  return jwt.sign(claims, key.verificationKey, { header: { alg: 'HS256', typ: type === 'any' ? 'JWT' : type } });
}
