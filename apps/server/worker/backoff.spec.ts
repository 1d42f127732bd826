import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { effectiveRetry, type RetryDefaults } from '@app/handlers';
import { retryDelay } from './backoff.js';

const defaults: RetryDefaults = { maxAttempts: 5, backoff: 'exponential', baseMs: 1_000, maxMs: 60_000, jitter: 0.2 };

describe('effectiveRetry', () => {
  it('asks the task, then the handler, then the defaults, for each part by itself', () => {
    expect(effectiveRetry({ maxAttempts: 0, retry: null }, undefined, defaults)).toEqual(defaults);
    const handler = { maxAttempts: 2, backoff: 'fixed', baseMs: 50 } as const;
    expect(effectiveRetry({ maxAttempts: 0, retry: null }, handler, defaults)).toEqual({ ...defaults, ...handler });
    const task = { maxAttempts: 9, retry: { baseMs: 0, jitter: 0 } };
    expect(effectiveRetry(task, handler, defaults)).toEqual({ maxAttempts: 9, backoff: 'fixed', baseMs: 0, maxMs: 60_000, jitter: 0 });
  });
});

describe('retryDelay', () => {
  const plain = { ...defaults, jitter: 0 };

  it('grows as the policy says', () => {
    const pauses = (backoff: RetryDefaults['backoff']) => [1, 2, 3, 4].map((failures) => retryDelay({ ...plain, backoff }, failures, 0));
    expect(pauses('exponential')).toEqual([1_000, 2_000, 4_000, 8_000]);
    expect(pauses('linear')).toEqual([1_000, 2_000, 3_000, 4_000]);
    expect(pauses('fixed')).toEqual([1_000, 1_000, 1_000, 1_000]);
  });

  it('stays between what the jitter leaves and the cap, for any number of failures', () => {
    const policy = fc.record({
      maxAttempts: fc.constant(5),
      backoff: fc.constantFrom('exponential', 'linear', 'fixed'),
      baseMs: fc.integer({ min: 0, max: 86_400_000 }),
      maxMs: fc.integer({ min: 0, max: 86_400_000 }),
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(policy, fc.integer({ min: 1, max: 100 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (retry, failures, random) => {
        const pause = retryDelay(retry, failures, random);
        expect(Number.isInteger(pause)).toBe(true);
        expect(pause).toBeLessThanOrEqual(retry.maxMs);
        expect(pause).toBeGreaterThanOrEqual(Math.floor(Math.min(retry.maxMs, retry.baseMs) * (1 - retry.jitter)));
      }),
    );
  });

  it('spreads tasks that failed together', () => {
    const pauses = [0, 0.5, 0.999].map((random) => retryDelay(defaults, 1, random));
    expect(pauses).toEqual([1_000, 900, 800]);
  });
});
