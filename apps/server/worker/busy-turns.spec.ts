/** For how long a tenant is passed over while somebody else has its turn. */
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { BusyTurns } from './busy-turns.js';

describe('a tenant whose turn somebody else has', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  /** How long the tenant is passed over when it is found busy now, in ms. */
  const pauseOf = (busy: BusyTurns, tenant = 'acme'): number => {
    let over = false;
    busy.found(tenant, () => {
      over = true;
    });
    let waited = 0;
    for (; !over; waited += 1) {
      expect(busy.has(tenant)).toBe(true);
      jest.advanceTimersByTime(1);
    }
    expect(busy.has(tenant)).toBe(false);
    return waited;
  };

  it('is passed over for a growing pause, up to a second, and for a short one again once it had the turn', () => {
    const busy = new BusyTurns();
    expect(Array.from({ length: 8 }, () => pauseOf(busy))).toEqual([20, 40, 80, 160, 320, 640, 1_000, 1_000]);
    expect(pauseOf(busy, 'other')).toBe(20);
    busy.had('acme');
    expect(pauseOf(busy)).toBe(20);
  });

  it('is looked at again once, however often it is found busy meanwhile', () => {
    const busy = new BusyTurns();
    const looks: number[] = [];
    for (const look of [1, 2, 3]) busy.found('acme', () => looks.push(look));
    jest.advanceTimersByTime(10_000);
    expect(looks).toEqual([1]);
  });
});
