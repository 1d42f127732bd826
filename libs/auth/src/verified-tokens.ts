/**
 * Remembers tokens that were verified a moment ago, so that a busy client costs one hash per call and not one signature
 * check. Entries are keyed by the hash of the token, bounded in number, oldest out first; `exp` is compared again with the
 * clock at every use, so remembering never lengthens a token's life.
 */
import { createHash } from 'node:crypto';
import { assertAlive, type VerifiedToken } from './token-claims.js';

const CAPACITY = 1_000;

export class VerifiedTokens {
  private readonly entries = new Map<string, VerifiedToken>();

  constructor(private readonly capacity = CAPACITY) {}

  /** @throws TokenExpired where the token was good once and is over now. */
  find(token: string, now: number): VerifiedToken | undefined {
    const key = keyOf(token);
    const found = this.entries.get(key);
    if (found !== undefined) {
      try {
        assertAlive(found.expiresAt, now);
      } catch (expired) {
        this.entries.delete(key);
        throw expired;
      }
    }
    return found;
  }

  remember(token: string, verified: VerifiedToken): void {
    for (const oldest of this.entries.keys()) {
      if (this.entries.size < this.capacity) {
        break;
      }
      this.entries.delete(oldest);
    }
    this.entries.set(keyOf(token), verified);
  }

  get size(): number {
    return this.entries.size;
  }
}

function keyOf(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}
