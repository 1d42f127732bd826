import { describe, expect, it } from '@jest/globals';
import { Clock } from '@app/lifecycle';
import { Waiters } from './waiters.js';

class HandClock extends Clock {
  at = 1_000;
  now(): number {
    return this.at;
  }
  monotonic(): number {
    return this.at;
  }
}

describe('those who wait', () => {
  it('are counted, and the one who has waited longest is known, in whatever order they are served', () => {
    const clock = new HandClock();
    const waiters = new Waiters(clock);
    const seen: unknown[] = [];
    const look = (): void => void seen.push([waiters.count, waiters.longestMs]);
    look();
    const first = waiters.begin();
    clock.at += 30;
    const second = waiters.begin();
    clock.at += 10;
    look();
    second();
    second();
    look();
    waiters.begin();
    clock.at += 5;
    first();
    look();
    expect(seen).toEqual([
      [0, 0],
      [2, 40],
      [1, 40],
      [1, 5],
    ]);
  });
});
