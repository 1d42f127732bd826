/**
 * Limits for those whom nobody has identified yet: attempts to authenticate that fail, by address and by the id of the key that was
 * tried, and requests without a token, by address. Whoever has used up his attempts is refused before anything is verified, so that
 * guessing costs him time and this process nothing.
 *
 * A key id is counted from all addresses, because guesses may come from many; but it is held only against addresses that have failed
 * themselves. Otherwise anybody who has seen the id of a key could keep its owner out.
 */
import type { Clock } from '@app/lifecycle';
import { RateLimited } from './rate-errors.js';
import { RateCounter } from './rate-counter.js';
import { paceOf } from './rate-pace.js';
import type { ScopeKind } from './rate-scope.js';
import type { RateTaker } from './rate-taker.js';

export interface AttemptOptions {
  /** Failed attempts per minute, and at once, for each address and for each key id. */
  readonly failuresPerMinute: number;
  /** Requests without a token per minute, and at once, for each address. */
  readonly anonymousPerMinute: number;
  /** How many addresses, and key ids, are remembered. */
  readonly rememberedMax: number;
}

/** Of a minute's requests without a token, the share that the store is not told of. */
const PASSING_SHARE = 0.25;

export class AttemptLimits {
  private readonly addresses: RateCounter;
  private readonly keys: RateCounter;
  private readonly anonymous: RateCounter;

  constructor(taker: RateTaker, clock: Clock, { failuresPerMinute, anonymousPerMinute, rememberedMax }: AttemptOptions) {
    const counter = (kind: ScopeKind, perMinute: number, tellFrom: number): RateCounter =>
      new RateCounter(taker, clock, { kind, pace: paceOf({ perMinute, burst: perMinute }), rememberedMax, tellFrom });
    this.addresses = counter('failures', failuresPerMinute, 0);
    this.keys = counter('key-failures', failuresPerMinute, 0);
    this.anonymous = counter('anonymous', anonymousPerMinute, PASSING_SHARE);
  }

  /** How many addresses and key ids are in memory. */
  get remembered(): number {
    return this.addresses.remembered + this.keys.remembered + this.anonymous.remembered;
  }

  /** To be asked before a credential is verified; `keyId` is null where it names none. @throws RateLimited */
  assertMayTry(address: string, keyId: string | null): void {
    const waitMs = this.addresses.waitMs(address);
    if (waitMs > 0) throw new RateLimited('attempts', waitMs);
    if (keyId === null || !this.addresses.knows(address)) return;
    const keyWaitMs = this.keys.waitMs(keyId);
    if (keyWaitMs > 0) throw new RateLimited('attempts', keyWaitMs);
  }

  /** A credential was not acceptable. */
  failed(address: string, keyId: string | null): void {
    this.addresses.count(address);
    if (keyId !== null) this.keys.count(keyId);
  }

  /** A request without a token. @throws RateLimited */
  assertMayAsk(address: string): void {
    const waitMs = this.anonymous.count(address);
    if (waitMs > 0) throw new RateLimited('address', waitMs);
  }
}
