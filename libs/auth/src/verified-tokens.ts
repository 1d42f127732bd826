/**
 * Remembers tokens that were verified a moment ago, so that a client costs one hash per call and not one signature check, and a busy
 * one not even that: the last token that was found is compared. Entries are keyed by the hash of the token, bounded in number, oldest
 * out first. At every use `exp` is compared with the clock and the key with those that are still ours, so remembering never lengthens
 * a token's life.
 */
import { hash } from 'node:crypto';
import { assertAlive, type VerifiedToken } from './token-claims.js';
import type { TokenKeys } from './token-keys.js';

const CAPACITY = 1_000;

export class VerifiedTokens {
  private readonly entries = new Map<string, VerifiedToken>();
  private last: { readonly token: string; readonly name: string } | null = null;

  constructor(
    private readonly keys: Pick<TokenKeys, 'holds'>,
    private readonly capacity = CAPACITY,
  ) {}

  /** @throws TokenExpired where the token was good once and is over now; Unavailable where nobody knows if its key is still ours */
  find(token: string, now: number): VerifiedToken | undefined {
    const name = this.nameOf(token);
    const found = this.entries.get(name);
    if (found === undefined) {
      return undefined;
    }
    if (!this.keys.holds(found.key)) {
      this.forget(name);
      return undefined;
    }
    try {
      assertAlive(found, now);
    } catch (expired) {
      this.forget(name);
      throw expired;
    }
    if (name !== this.last?.name) this.last = { token, name };
    return found;
  }

  remember(token: string, verified: VerifiedToken): void {
    for (const oldest of this.entries.keys()) {
      if (this.entries.size < this.capacity) {
        break;
      }
      this.forget(oldest);
    }
    this.entries.set(this.nameOf(token), verified);
  }

  get size(): number {
    return this.entries.size;
  }

  private nameOf(token: string): string {
    return token === this.last?.token ? this.last.name : hash('sha256', token, 'base64');
  }

  private forget(name: string): void {
    this.entries.delete(name);
    if (name === this.last?.name) this.last = null;
  }
}
