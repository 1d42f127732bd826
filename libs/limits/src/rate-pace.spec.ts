import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Bucket, msOf, paceOf } from './rate-pace.js';

/** Whether no window of the times that passed holds more than the burst and what the rate adds in that window. */
function isWithin(passed: readonly number[], perMinute: number, burst: number): boolean {
  return passed.every((from, first) =>
    passed.slice(first).every((to, index) => index + 1 <= burst + ((to - from) * perMinute) / 60_000 + 1e-6),
  );
}

describe('a bucket', () => {
  it('never lets pass more than the burst and the rate times the window, in any window', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6_000 }),
        fc.integer({ min: 1, max: 30 }),
        fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 120 }),
        (perMinute, burst, pauses) => {
          const pace = paceOf({ perMinute, burst });
          const bucket = new Bucket();
          let now = 1_000;
          const passed = pauses.flatMap((pause) => {
            now += pause;
            return bucket.take(now, pace) === 0 ? [now] : [];
          });
          return passed.length > 0 && isWithin(passed, perMinute, burst);
        },
      ),
    );
  });

  it.each([
    [7, 7],
    [20, 20],
    [59_999, 13],
    [600_000, 20_000],
    [1, 1],
    [60_000_000, 1_000],
  ])('of %i per minute lets pass exactly %i at once', (perMinute, burst) => {
    const pace = paceOf({ perMinute, burst });
    const bucket = new Bucket();
    let passed = 0;
    while (bucket.take(0, pace) === 0) passed += 1;
    expect(passed).toBe(burst);
  });

  it('has a burst of what a day adds at most, and of one request at least', () => {
    expect(paceOf({ perMinute: 60, burst: 1_000_000_000 }).spanUs).toBe(86_400_000_000);
    expect(paceOf({ perMinute: 1, burst: 1 })).toMatchObject({ unitUs: 60_000_000, spanUs: 60_000_000 });
  });

  it('says when the next may pass, and it may then and not before', () => {
    const pace = paceOf({ perMinute: 7, burst: 2 });
    const bucket = new Bucket();
    bucket.take(0, pace);
    bucket.take(0, pace);
    const wait = bucket.take(100, pace);
    expect(Math.round(wait)).toBe(8_471);
    expect(bucket.wait(100 + wait - 1, pace)).toBeGreaterThan(0);
    expect(bucket.take(100 + wait, pace)).toBe(0);
  });

  it('locks nobody out for longer than the burst when its clock is set back by an hour, or the limit is lowered', () => {
    const wide = paceOf({ perMinute: 60, burst: 60 });
    const bucket = new Bucket();
    bucket.take(3_600_000, wide);
    expect(bucket.wait(0, wide)).toBeLessThanOrEqual(msOf(wide.unitUs));
    const narrow = paceOf({ perMinute: 60, burst: 2 });
    expect(bucket.wait(0, narrow)).toBeLessThanOrEqual(msOf(narrow.unitUs));
  });
});
