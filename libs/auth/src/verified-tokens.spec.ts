import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { TokenExpired } from './auth-errors.js';
import type { VerifiedToken } from './token-claims.js';
import type { VerificationKey } from './token-keys.js';
import { VerifiedTokens } from './verified-tokens.js';

const key: VerificationKey = { algorithm: 'HS256', key: createSecretKey(Buffer.alloc(32)) };
const verified = (expiresAt: number): VerifiedToken => ({
  ...{ expiresAt, issuedAt: 0, key },
  principal: { subject: 's', tenant: 't', scopes: new Set(), credential: 'sub:s', tokenId: null },
});
const ours = new Set([key]);
const held = { holds: (one: VerificationKey) => ours.has(one) };

describe('VerifiedTokens', () => {
  it('forgets the oldest first and stays within its capacity', () => {
    const tokens = new VerifiedTokens(held, 3);
    for (const name of ['a', 'b', 'c', 'd']) {
      tokens.remember(name, verified(10));
    }
    expect(tokens.size).toBe(3);
    expect(tokens.find('a', 0)).toBeUndefined();
    expect(tokens.find('d', 0)).toBeDefined();
  });

  it('tells tokens apart, whichever was asked for last', () => {
    const tokens = new VerifiedTokens(held);
    const [first, second] = [verified(10), verified(20)];
    tokens.remember('a', first);
    tokens.remember('b', second);
    const found = ['a', 'a', 'b', 'c', 'a', 'c', 'b', 'b', ''].map((token) => tokens.find(token, 0));
    expect(found.map((one) => (one === first ? 'first' : one === second ? 'second' : 'none'))).toEqual([
      'first',
      'first',
      'second',
      'none',
      'first',
      'none',
      'second',
      'second',
      'none',
    ]);
  });

  it('keeps nothing of a token that is over', () => {
    const tokens = new VerifiedTokens(held);
    tokens.remember('a-token', verified(10));
    tokens.find('a-token', 0);
    expect(() => tokens.find('a-token', 11)).toThrow(TokenExpired);
    expect(JSON.stringify(tokens)).not.toContain('a-token');
  });

  it('keeps nothing of a token that has made room for another', () => {
    const tokens = new VerifiedTokens(held, 1);
    tokens.remember('a-token', verified(10));
    tokens.find('a-token', 0);
    tokens.remember('b', verified(10));
    expect(JSON.stringify(tokens)).not.toContain('a-token');
  });

  it('compares exp at every use', () => {
    const tokens = new VerifiedTokens(held);
    tokens.remember('a', verified(10));
    expect(tokens.find('a', 10)).toBeDefined();
    expect(() => tokens.find('a', 11)).toThrow(TokenExpired);
    expect(tokens.size).toBe(0);
  });

  it('forgets what was verified with a key that is not ours any more', () => {
    const tokens = new VerifiedTokens(held);
    tokens.remember('a', verified(10));
    ours.delete(key);
    expect([tokens.find('a', 0), tokens.size]).toEqual([undefined, 0]);
  });
});
