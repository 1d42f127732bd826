import { beforeEach, describe, expect, it } from '@jest/globals';
import { Clock } from '@app/lifecycle';
import { MemoryRates } from '../../../test/support/memory-rates.js';
import { AttemptLimits } from './rate-attempts.js';
import { RateLimited } from './rate-errors.js';
import { RateTaker } from './rate-taker.js';

class HandClock extends Clock {
  private at = 1_000_000;

  now(): number {
    return this.at;
  }

  monotonic(): number {
    return this.at;
  }

  advance(ms: number): void {
    this.at += ms;
  }
}

let clock: HandClock;
let store: MemoryRates;
let taker: RateTaker;
beforeEach(() => {
  clock = new HandClock();
  store = new MemoryRates(clock);
  taker = new RateTaker(store, clock, () => undefined);
});

const limitsOf = (): AttemptLimits => {
  taker = new RateTaker(store, clock, () => undefined);
  return new AttemptLimits(taker, clock, { failuresPerMinute: 20, anonymousPerMinute: 100, rememberedMax: 200 });
};

/** Fails until refused; how often that was. */
function failures(limits: AttemptLimits, address: string, keyId: string | null = null, times = 100): number {
  for (let count = 0; count < times; count += 1) {
    try {
      limits.assertMayTry(address, keyId);
    } catch (error) {
      expect(error).toBeInstanceOf(RateLimited);
      return count;
    }
    limits.failed(address, keyId);
  }
  return times;
}

function refusal(limits: AttemptLimits, address: string): unknown {
  try {
    limits.assertMayTry(address, null);
    return null;
  } catch (error) {
    return error;
  }
}

describe('failed attempts', () => {
  it('are 20 a minute for an address, and its neighbours go free', () => {
    const limits = limitsOf();
    expect(failures(limits, '192.0.2.1')).toBe(20);
    expect(refusal(limits, '192.0.2.1')).toMatchObject({ code: 'rate-limited', retryAfterMs: 3_000 });
    expect(failures(limits, '192.0.2.2', null, 1)).toBe(1);
    clock.advance(3_000);
    expect(failures(limits, '192.0.2.1')).toBe(1);
    clock.advance(60_000);
    expect(failures(limits, '192.0.2.1')).toBe(20);
  });

  it('are 20 a minute for a key id, from wherever, and an address that has not failed itself goes free', () => {
    const limits = limitsOf();
    const tried = Array.from({ length: 10 }, (_, index) => failures(limits, `192.0.2.${index}`, 'k1', 2));
    expect(tried.reduce((sum, each) => sum + each, 0)).toBe(20);
    expect(failures(limits, '192.0.2.3', 'k1')).toBe(0);
    expect(failures(limits, '192.0.2.3', 'k2', 1)).toBe(1);
    expect(() => {
      limits.assertMayTry('198.51.100.7', 'k1');
    }).not.toThrow();
  });

  it('are counted by all processes together, and after a restart', async () => {
    const [one, other] = [limitsOf(), limitsOf()];
    expect(failures(one, '192.0.2.1', null, 12)).toBe(12);
    await new Promise(setImmediate);
    const first = failures(other, '192.0.2.1', null, 1);
    await new Promise(setImmediate);
    expect(first + failures(other, '192.0.2.1')).toBe(8);
    await new Promise(setImmediate);
    const restarted = limitsOf();
    expect(failures(restarted, '192.0.2.1', null, 1)).toBe(1);
    await new Promise(setImmediate);
    expect(failures(restarted, '192.0.2.1')).toBe(0);
  });

  it('hold while the store is away', () => {
    store.failure = new Error('away');
    const limits = limitsOf();
    expect(failures(limits, '192.0.2.1')).toBe(20);
  });

  it('are remembered for a bounded number of addresses, and a storm is a bounded number of statements', async () => {
    const limits = limitsOf();
    let release = (): void => undefined;
    store.held = new Promise((resolve) => {
      release = resolve;
    });
    for (let index = 0; index < 5_000; index += 1) limits.failed(`2001:db8:${index.toString(16)}:0/64`, null);
    expect(limits.remembered).toBe(200);
    release();
    await taker.drained();
    expect(store.size).toBeLessThanOrEqual(2_100);
    expect(store.groups.length).toBeLessThanOrEqual(22);
  });
});

describe('requests without a token', () => {
  it('are limited by address, and the store hears of those only who send many', async () => {
    const limits = limitsOf();
    const ask = (address: string): boolean => {
      try {
        limits.assertMayAsk(address);
        return true;
      } catch {
        return false;
      }
    };
    for (let index = 0; index < 150; index += 1) ask(`192.0.2.${index}`);
    await taker.drained();
    expect(store.groups).toEqual([]);
    expect(Array.from({ length: 150 }, () => ask('198.51.100.7')).filter(Boolean)).toHaveLength(100);
    await taker.drained();
    const restarted = limitsOf();
    for (let index = 0; index < 30; index += 1) restarted.assertMayAsk('198.51.100.7');
    await taker.drained();
    expect(() => {
      restarted.assertMayAsk('198.51.100.7');
    }).toThrow(RateLimited);
  });
});
