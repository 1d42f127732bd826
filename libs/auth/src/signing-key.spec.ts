import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import jwt from 'jsonwebtoken';
import { Clock } from '@app/lifecycle';
import { issueToken } from './issue-token.js';
import { SigningKey, type AuthSettings } from './signing-key.js';

class StillClock extends Clock {
  now(): number {
    return 1_700_000_000_500;
  }

  monotonic(): number {
    return 0;
  }
}

const none: AuthSettings = {
  authJwtSecret: null,
  authJwtPublicKey: null,
  authJwksUrl: null,
  authIssuer: null,
  authAudience: null,
  authLeewayMs: 60_000,
  authTokenLifetimeMaxMs: 86_400_000,
  authTokenType: 'any',
  embedded: false,
  databaseUrl: 'mysql://x',
};
const pem = (type: 'rsa' | 'ec', detail: object): string => {
  const { publicKey } =
    type === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2_048, ...detail })
      : generateKeyPairSync('ec', { namedCurve: 'P-256', ...detail });
  return publicKey.export({ type: 'spki', format: 'pem' }).toString();
};

describe('SigningKey', () => {
  it.each([
    ['HS256', { authJwtSecret: 'x'.repeat(32) }],
    ['RS256', { authJwtPublicKey: pem('rsa', {}) }],
    ['ES256', { authJwtPublicKey: pem('ec', {}).replaceAll('\n', '\\n') }],
    ['EdDSA', { authJwtPublicKey: generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString() }],
  ])('takes its algorithm %s from the key', async (algorithm, settings) => {
    const key = await SigningKey.resolve({ ...none, ...settings });
    expect([key.algorithm, key.canSign]).toEqual([algorithm, algorithm === 'HS256']);
  });

  it.each<[string, Partial<AuthSettings>, RegExp]>([
    ['nothing', {}, /AUTH_JWT_SECRET/],
    ['both', { authJwtSecret: 'x'.repeat(32), authJwtPublicKey: pem('ec', {}) }, /not both/],
    ['a short secret', { authJwtSecret: 'x'.repeat(31) }, /32 bytes/],
    ['a small RSA key', { authJwtPublicKey: pem('rsa', { modulusLength: 1_024 }) }, /2048 bits/],
    ['another curve', { authJwtPublicKey: pem('ec', { namedCurve: 'P-384' }) }, /P-256/],
    ['rubbish', { authJwtPublicKey: 'x' }, /PEM/],
    ['a key set, whose keys sign elsewhere', { authJwksUrl: 'https://issuer/keys' }, /signed elsewhere/],
    ['a private key', { authJwtPublicKey: '-----BEGIN PRIVATE KEY-----' }, /private/],
  ])('refuses %s', async (_, settings, message) => {
    await expect(SigningKey.resolve({ ...none, ...settings })).rejects.toThrow(message);
  });
});

describe('issueToken', () => {
  const request = { tenant: 'default', subject: 'local', scopes: ['tasks:read', 'admin'] as const, ttlMs: 90_500 };

  it('signs exactly what was asked for, with issuer and audience where configured', async () => {
    const key = await SigningKey.resolve({ ...none, authJwtSecret: randomBytes(32).toString('hex'), authIssuer: 'i', authAudience: 'a' });
    const token = issueToken(key, new StillClock(), request);
    expect(jwt.decode(token)).toEqual({
      sub: 'local',
      tenant: 'default',
      scope: 'tasks:read admin',
      iat: 1_700_000_000,
      exp: 1_700_000_090,
      iss: 'i',
      aud: 'a',
    });
  });

  it('names the token, and its type where only access tokens are accepted', async () => {
    const key = await SigningKey.resolve({ ...none, authJwtSecret: 'x'.repeat(32), authTokenType: 'at+jwt' });
    const token = jwt.decode(issueToken(key, new StillClock(), { ...request, tokenId: 'one' }), { complete: true });
    expect([token?.header.typ, (token?.payload as jwt.JwtPayload).jti]).toEqual(['at+jwt', 'one']);
  });

  it('refuses a life that would not be accepted', async () => {
    const key = await SigningKey.resolve({ ...none, authJwtSecret: 'x'.repeat(32), authTokenLifetimeMaxMs: 60_000 });
    expect(issueToken(key, new StillClock(), { ...request, ttlMs: 60_999 })).toMatch(/^ey/);
    expect(() => issueToken(key, new StillClock(), { ...request, ttlMs: 61_000 })).toThrow(/60 s at most.*AUTH_TOKEN_LIFETIME_MAX_MS/);
  });

  it('refuses the system tenant, and a key that cannot sign', async () => {
    const secret = await SigningKey.resolve({ ...none, authJwtSecret: 'x'.repeat(32) });
    expect(() => issueToken(secret, new StillClock(), { ...request, tenant: 'system' })).toThrow(/tenant/);
    const publicKey = await SigningKey.resolve({ ...none, authJwtPublicKey: pem('ec', {}) });
    expect(() => issueToken(publicKey, new StillClock(), request)).toThrow(/public key/);
  });
});
