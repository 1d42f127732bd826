import { beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Unavailable } from '@app/errors';
import { Clock } from '@app/lifecycle';
import { MemoryRates } from '../../../test/support/memory-rates.js';
import { RateLimiter, type RateOptions, type TenantRate } from './rate-limiter.js';
import { RateTaker } from './rate-taker.js';

class HandClock extends Clock {
  constructor(private at = 1_000_000) {
    super();
  }

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

const OPTIONS: RateOptions = { leaseMs: 5_000, waitMs: 10_000, credentialPercent: 100, rememberedMax: 100 };
const rate = (perMinute: number, burst: number): TenantRate => ({ 'requests.perMinute': perMinute, 'requests.burst': burst });
const WHO = { tenant: 't', credential: 'sub:a' };

let clock: HandClock;
let store: MemoryRates;
let errors: unknown[];
beforeEach(() => {
  clock = new HandClock();
  store = new MemoryRates(clock);
  errors = [];
});

function limiterOf(limit: TenantRate | (() => TenantRate), options: Partial<RateOptions> = {}): RateLimiter {
  const taker = new RateTaker(store, clock, (error) => void errors.push(error));
  return new RateLimiter({ of: typeof limit === 'function' ? limit : () => limit }, taker, clock, { ...OPTIONS, ...options });
}

async function passes(limiter: RateLimiter, who = WHO): Promise<boolean> {
  return (await limiter.admit(who)).refused === null;
}

async function count(limiter: RateLimiter, times: number, who = WHO): Promise<number> {
  let passed = 0;
  for (let index = 0; index < times; index += 1) if (await passes(limiter, who)) passed += 1;
  return passed;
}

describe('the limiter', () => {
  it('lets pass the burst, then what the rate adds, and says when', async () => {
    const limiter = limiterOf(rate(60, 10));
    expect(await count(limiter, 30)).toBe(10);
    expect((await limiter.admit(WHO)).refused?.waitMs).toBe(1_000);
    clock.advance(1_000);
    expect(await count(limiter, 5)).toBe(1);
    clock.advance(3_600_000);
    expect(await count(limiter, 30)).toBe(10);
  });

  it('never lets pass more, over several processes, than the burst, the rate times (window + lease), and what each keeps', async () => {
    const pause = fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 0, max: 300 }) }, { weight: 1, arbitrary: fc.constant(20_000) });
    const step = fc.record({ process: fc.nat(2), pause, together: fc.integer({ min: 1, max: 12 }) });
    const plans = fc.tuple(fc.integer({ min: 30, max: 6_000 }), fc.integer({ min: 1, max: 300 }), fc.array(step, { maxLength: 50 }));
    await fc.assert(
      fc.asyncProperty(plans, async ([perMinute, burst, steps]) => {
        clock = new HandClock();
        store = new MemoryRates(clock);
        const leaseMs = 1_000;
        const limiters = [0, 1, 2].map(() => limiterOf(rate(perMinute, burst), { leaseMs }));
        const passed: number[] = [];
        for (const { process, pause, together } of steps) {
          clock.advance(pause);
          const answers = await Promise.all(Array.from({ length: together }, () => passes(limiters[process]!)));
          passed.push(...answers.filter(Boolean).map(() => clock.now()));
        }
        const kept = limiters.length * Math.max(1, Math.floor(burst / 100));
        const isWithin = passed.every((from, first) =>
          passed.slice(first).every((to, index) => index + 1 <= burst + ((to - from + leaseMs) * perMinute) / 60_000 + kept),
        );
        expect(isWithin).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  it('asks once per block and not per request, and for a small one only near the limit', async () => {
    const limiter = limiterOf(rate(600_000, 20_000));
    for (let index = 0; index < 5_000; index += 1) {
      expect(await passes(limiter)).toBe(true);
      if (index % 10 === 0) clock.advance(1);
    }
    expect(store.groups.length).toBeLessThan(40);
    const near = limiterOf(rate(60, 8));
    await count(near, 8, { tenant: 'near', credential: 'c' });
    const ofNear = store.groups.flat().filter(({ spanUs }) => spanUs === 8_000_000);
    const sizes = ofNear.map(({ needUs, wantUs }) => [needUs, wantUs]);
    expect(sizes.length).toBeGreaterThan(0);
    expect(sizes.every(([need, want]) => need === 1_000_000 && want! <= 2_000_000)).toBe(true);
  });

  it('uses a block no longer than its lease, but for a hundredth of the burst', async () => {
    const limiter = limiterOf(rate(6_000, 400));
    await count(limiter, 5);
    clock.advance(OPTIONS.leaseMs - 1);
    store.groups.length = 0;
    await count(limiter, 1);
    expect(store.groups).toEqual([]);
    clock.advance(1);
    // Four of ten are left, and four are what is kept.
    await count(limiter, 1);
    expect(store.groups).toEqual([]);
    await count(limiter, 3 + 4);
    expect(store.groups.flat()).toHaveLength(2);
    // Six are left of the next ten, and four of those when its lease is over.
    clock.advance(OPTIONS.leaseMs);
    store.failure = new Unavailable('away');
    await count(limiter, 4);
    expect(errors).toEqual([]);
    await count(limiter, 1);
    expect(errors).not.toEqual([]);
  });

  it('asks for the credential and its tenant together, and costs who comes rarely almost nothing', async () => {
    const limiter = limiterOf(rate(600_000, 20_000), { credentialPercent: 50 });
    for (let index = 0; index < 2_000; index += 1) {
      expect(await passes(limiter, { tenant: 't', credential: `sub:${index % 20}` })).toBe(true);
      clock.advance(300);
      if (index === 0) expect(store.groups.map((group) => group.length)).toEqual([2]);
    }
    expect(store.groups.length).toBeLessThanOrEqual(40);
  });

  it('charges neither for what the other refuses, where both were asked at once', async () => {
    const limiter = limiterOf(rate(60, 20), { credentialPercent: 10 });
    const alone = await Promise.all(Array.from({ length: 12 }, () => passes(limiter)));
    expect(alone.filter(Boolean)).toHaveLength(2);
    const others = await Promise.all(Array.from({ length: 12 }, (_, index) => count(limiter, 2, { ...WHO, credential: `sub:${index}` })));
    expect(others.reduce((sum, passed) => sum + passed, 0)).toBe(18);
  });

  it('asks for all who wait with one statement', async () => {
    const limiter = limiterOf(rate(60, 50));
    const answers = await Promise.all(Array.from({ length: 80 }, () => passes(limiter)));
    expect(answers.filter(Boolean)).toHaveLength(50);
    expect(store.groups.length).toBeLessThan(10);
  });

  it('asks nothing for those it has just refused', async () => {
    const limiter = limiterOf(rate(60, 2));
    await count(limiter, 3);
    store.groups.length = 0;
    expect(await count(limiter, 1_000)).toBe(0);
    expect(store.groups).toEqual([]);
  });

  it('counts for the tenant what its credentials do together, and a share of it for each', async () => {
    const limiter = limiterOf(rate(60, 20), { credentialPercent: 50 });
    expect(await count(limiter, 15)).toBe(10);
    expect((await limiter.admit(WHO)).refused?.who).toBe('credential');
    expect(await count(limiter, 15, { ...WHO, credential: 'sub:b' })).toBe(10);
    const third = { ...WHO, credential: 'sub:c' };
    expect((await limiter.admit(third)).refused?.who).toBe('tenant');
    expect(await count(limiter, 15, { ...WHO, tenant: 'u' })).toBe(10);
    // What was refused for the tenant did not cost the credential anything.
    for (let index = 0; index < 30; index += 1) await limiter.admit(third);
    clock.advance(20_000);
    // Ten, and the one that was kept.
    expect(await count(limiter, 15, third)).toBe(11);
  });

  it('follows a change of the limit at once, up and down, and lets nobody pass where it is zero', async () => {
    let limit = rate(60, 2);
    const limiter = limiterOf(() => limit);
    expect(await count(limiter, 5)).toBe(2);
    limit = rate(6_000, 100);
    clock.advance(2_000);
    expect(await count(limiter, 20)).toBe(20);
    limit = rate(0, 100);
    expect((await limiter.admit(WHO)).refused).toEqual({ who: 'tenant', waitMs: 60_000 });
    limit = rate(60, 0);
    expect(await passes(limiter)).toBe(false);
  });

  it('goes on with what is leased while the store is away, then decides alone at the same rate, and tells of it', async () => {
    const limiter = limiterOf(rate(600, 100));
    expect(await passes(limiter)).toBe(true);
    store.failure = new Unavailable('away');
    expect(await count(limiter, 9)).toBe(9);
    const alone = await count(limiter, 300);
    expect(alone).toBeGreaterThanOrEqual(99);
    expect(alone).toBeLessThanOrEqual(110);
    expect(errors.length).toBeGreaterThan(0);
    expect(store.groups.length).toBeLessThan(8);
    store.failure = null;
    clock.advance(1_001);
    expect(await passes(limiter)).toBe(true);
    expect(store.groups.at(-1)).toBeDefined();
  });

  it('does not wait longer than it may for a store that hangs', async () => {
    let release = (): void => undefined;
    store.held = new Promise((resolve) => {
      release = resolve;
    });
    const limiter = limiterOf(rate(600, 100), { waitMs: 50 });
    expect(await passes(limiter)).toBe(true);
    expect(errors).toHaveLength(1);
    expect(await count(limiter, 50)).toBe(50);
    expect(store.groups).toHaveLength(1);
    release();
  });

  it('tells how one stands in the fields of the draft', async () => {
    const limiter = limiterOf(rate(60, 10), { credentialPercent: 50 });
    const first = await limiter.admit(WHO);
    expect(first.policy).toBe('"credential";q=30;w=60, "tenant";q=60;w=60');
    expect(first.state).toBe('"credential";r=4;t=2, "tenant";r=9;t=1');
    for (let index = 0; index < 5; index += 1) await limiter.admit(WHO);
    expect((await limiter.admit(WHO)).state).toMatch(/^"credential";r=0;t=10, "tenant";r=5;t=5$/);
  });

  it('keeps a bounded number of tenants and credentials in memory', async () => {
    const limiter = limiterOf(rate(60, 10));
    for (let index = 0; index < 1_000; index += 1) await limiter.admit({ tenant: `t${index}`, credential: 'c' });
    expect(limiter.remembered).toBe(2 * OPTIONS.rememberedMax);
    // Who was forgotten is asked for again, and finds his state where it is kept.
    await count(limiter, 10);
    for (let index = 0; index < 200; index += 1) await limiter.admit({ tenant: `u${index}`, credential: 'c' });
    expect(await count(limiter, 5)).toBe(0);
  });
});
