import { beforeEach, describe, expect, it } from '@jest/globals';
import { Standstill } from './standstill.js';

describe('Standstill', () => {
  let now = 0;
  let turns = 0;
  let told: string[] = [];
  let standstill: Standstill;

  const pass = (ms: number): void => {
    for (let passed = 0; passed < ms; passed += 100) {
      now += 100;
      standstill.look();
    }
  };

  beforeEach(() => {
    now = 0;
    turns = 0;
    told = [];
    standstill = new Standstill({
      everyMs: 100,
      warnMs: 1_000,
      stallMs: 3_000,
      turns: () => turns,
      clock: () => now,
      onWarn: (ms) => told.push(`warn ${ms}`),
      onStall: (ms) => told.push(`stall ${ms}`),
    });
  });

  it('says nothing of a loop that turns', () => {
    for (let round = 0; round < 50; round += 1) {
      pass(900);
      turns += 1;
      pass(100);
    }
    expect(told).toEqual([]);
  });

  it('warns once per standstill, and again at the next', () => {
    pass(2_500);
    expect(told).toEqual(['warn 1000']);
    turns += 1;
    pass(2_500);
    expect(told).toEqual(['warn 1000', 'warn 1000']);
  });

  it('ends what stands still for too long, once', () => {
    pass(5_000);
    expect(told).toEqual(['warn 1000', 'stall 3000']);
  });

  it('takes a late look for a machine that was asleep', () => {
    now += 60_000;
    standstill.look();
    pass(700);
    expect(told).toEqual([]);
    pass(100);
    expect(told).toEqual(['warn 1000']);
  });
});
