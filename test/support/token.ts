/** Tokens for tests, signed the way a customer's own identity provider would (HS256). */
import jsonwebtoken from 'jsonwebtoken';

/** For AUTH_JWT_SECRET of the processes under test. */
export const TEST_SECRET = 'a-secret-for-tests-only-0123456789abcdef';

export const ALL_SCOPES =
  'tasks:read tasks:write tasks:cancel tasks:payload queues:read queues:manage schedules:read schedules:write workers:read keys:manage';

export interface TokenOptions {
  secret?: string;
  tenant?: string;
  /** Separated by spaces; everything but `admin` unless given. */
  scope?: string;
  subject?: string;
  /** From now; negative for a token that has expired. One hour unless given. */
  expiresInSeconds?: number;
  /** Added to the claims; `undefined` removes one. */
  claims?: Readonly<Record<string, unknown>>;
}

export function signToken(options: TokenOptions = {}): string {
  const { secret = TEST_SECRET, tenant = 'acme', scope = ALL_SCOPES, subject = 'tester', expiresInSeconds = 3_600, claims = {} } = options;
  const now = Math.floor(Date.now() / 1_000);
  const all = { sub: subject, tenant, scope, iat: now, exp: now + expiresInSeconds, ...claims };
  const present = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return jsonwebtoken.sign(present, secret, { algorithm: 'HS256' });
}
