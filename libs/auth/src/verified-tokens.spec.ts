import { describe, expect, it } from '@jest/globals';
import { TokenExpired } from './auth-errors.js';
import { CLOCK_LEEWAY_MS, type VerifiedToken } from './token-claims.js';
import { VerifiedTokens } from './verified-tokens.js';

const verified = (expiresAt: number): VerifiedToken => ({
  expiresAt,
  principal: { subject: 's', tenant: 't', scopes: new Set(), credential: 'sub:s' },
});

describe('VerifiedTokens', () => {
  it('forgets the oldest first and stays within its capacity', () => {
    const tokens = new VerifiedTokens(3);
    for (const name of ['a', 'b', 'c', 'd']) {
      tokens.remember(name, verified(10));
    }
    expect(tokens.size).toBe(3);
    expect(tokens.find('a', 0)).toBeUndefined();
    expect(tokens.find('d', 0)).toBeDefined();
  });

  it('compares exp at every use', () => {
    const tokens = new VerifiedTokens();
    tokens.remember('a', verified(10));
    expect(tokens.find('a', 10 + CLOCK_LEEWAY_MS)).toBeDefined();
    expect(() => tokens.find('a', 11 + CLOCK_LEEWAY_MS)).toThrow(TokenExpired);
    expect(tokens.size).toBe(0);
  });
});
