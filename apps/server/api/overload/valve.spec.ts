import { describe, expect, it } from '@jest/globals';
import { Valve } from './valve.js';

describe('a valve', () => {
  it('shuts at its upper bound, opens at its lower one, and stays as it is in between', () => {
    const valve = new Valve(10, 8);
    const states = [9, 10, 9, 10, 9, 8, 9, 9, 10].map((value) => valve.isShutAt(value));
    expect(states).toEqual([false, true, true, true, true, false, false, false, true]);
  });
});
