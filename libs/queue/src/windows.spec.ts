import { describe, expect, it } from '@jest/globals';
import { Clock } from '@app/lifecycle';
import { Windows } from './windows.js';

class Hand extends Clock {
  ms = 0;

  now(): number {
    return this.ms;
  }

  monotonic(): number {
    return this.ms;
  }
}

const SIZE = 256;

/** A door that nobody reads: every task that is let in stays, and the reply to its ring says how many there are. */
class Door {
  readonly clock = new Hand();
  tasks = 0;
  asked = 0;
  readonly windows = new Windows(SIZE, this.clock, () => {
    this.asked += 1;
    this.windows.learn('lane', 'acme', this.tasks);
  });

  submit(): boolean {
    if (!this.windows.admits('lane', 'acme', 1)) return false;
    this.tasks += 1;
    this.windows.learn('lane', 'acme', this.tasks);
    return true;
  }
}

describe('Windows', () => {
  it.each([
    [5, 1],
    [1_100, SIZE],
    [2_000, 500],
  ])('stays bounded for an hour without readers, every %d ms %d tasks', (everyMs, burst) => {
    const door = new Door();
    for (; door.clock.ms < 3_600_000; door.clock.ms += everyMs) for (let count = 0; count < burst; count += 1) door.submit();
    expect(door.tasks).toBeLessThanOrEqual(2 * SIZE);
    expect(door.asked).toBeLessThanOrEqual(36_000);
  });

  it('lets one through behind a full window, and opens when its reply says that the door was emptied', () => {
    const door = new Door();
    for (let count = 0; count < SIZE; count += 1) expect(door.submit()).toBe(true);
    expect(door.submit()).toBe(false);
    door.tasks = 0;
    door.clock.ms += 25;
    expect(door.submit()).toBe(true);
    for (let count = 1; count < SIZE; count += 1) expect(door.submit()).toBe(true);
  });

  it('opens a crowded door again once it is told so', () => {
    const door = new Door();
    door.windows.learn('lane', 'acme', 3 * SIZE);
    door.clock.ms += 99;
    expect(door.submit()).toBe(false);
    expect(door.asked).toBe(0);
    door.clock.ms += 1;
    expect(door.submit()).toBe(false);
    expect(door.asked).toBe(1);
    expect(door.submit()).toBe(true);
  });

  it('counts each tenant and lane by itself, and forgets what was never rung', () => {
    const door = new Door();
    door.windows.learn('lane', 'acme', SIZE);
    expect(door.windows.admits('lane', 'acme', 1)).toBe(false);
    expect(door.windows.admits('lane', 'other', 1)).toBe(true);
    expect(door.windows.admits('another', 'acme', 1)).toBe(true);
    door.windows.forget('lane', 'acme');
    expect(door.windows.admits('lane', 'acme', 1)).toBe(true);
  });
});
