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
}

/** @throws InvalidConfiguration where there is no shared secret, or the tenant is not one that tokens may speak for. */
export function issueToken(key: SigningKey, clock: Clock, request: TokenRequest): string {
  if (!key.canSign) {
    throw new InvalidConfiguration(['Tokens are signed elsewhere: only a public key is configured here.']);
  }
  if (!isTenant(request.tenant)) {
    throw new InvalidConfiguration(['The tenant must be 1 to 64 of [A-Za-z0-9._:-] and not "system".']);
  }
  const issuedAt = Math.floor(clock.now() / 1_000);
  const claims = {
    sub: request.subject,
    tenant: request.tenant,
    scope: request.scopes.join(' '),
    iat: issuedAt,
    exp: issuedAt + Math.max(1, Math.floor(request.ttlMs / 1_000)),
    ...(key.issuer === null ? {} : { iss: key.issuer }),
    ...(key.audience === null ? {} : { aud: key.audience }),
  };
  return jwt.sign(claims, key.verificationKey, { algorithm: 'HS256' });
}
