import { describe, expect, it } from '@jest/globals';
import { PolledQueues } from './polled-queues.js';

const named = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, index) => `q${from + index}`);

function queuesOf(names: readonly string[], ...sizes: readonly [round?: number, busy?: number, most?: number]): PolledQueues<string> {
  const queues = new PolledQueues<string>(...sizes);
  for (const name of names) queues.add(name, name);
  return queues;
}

describe('queues that are looked at in turn', () => {
  it('are all looked at in a round that reaches all, each once', () => {
    const queues = queuesOf(named(0, 4), 5, 3);
    queues.setBusy(['q2', 'q3']);
    for (let round = 0; round < 3; round += 1) expect(queues.next().sort()).toEqual(named(0, 4));
    expect(new PolledQueues().next()).toEqual([]);
  });

  it('come round in order where nothing is known of them', () => {
    const queues = queuesOf(named(0, 7), 3, 2);
    expect([queues.next(), queues.next(), queues.next()]).toEqual([
      ['q0', 'q1', 'q2'],
      ['q3', 'q4', 'q5'],
      ['q6', 'q0', 'q1'],
    ]);
  });

  it('come first where something is in them, and leave a part of each round to the others', () => {
    const queues = queuesOf(named(0, 100), 5, 3);
    queues.setBusy(['q90', 'q91', 'q92', 'q93', 'nobody knows it']);
    const rounds = Array.from({ length: 4 }, () => queues.next());
    expect(rounds[0]).toEqual(['q90', 'q91', 'q92', 'q0', 'q1']);
    expect(rounds[1]).toEqual(['q93', 'q90', 'q91', 'q2', 'q3']);
    expect(rounds.flat().filter((name) => name === 'q93')).toHaveLength(3);
    queues.setBusy([]);
    expect(queues.next()).toEqual(named(8, 13));
  });

  it('make room for others beyond a bound, those that are not busy and were just looked at first', () => {
    const queues = queuesOf(named(0, 4), 2, 1, 4);
    queues.setBusy(['q1']);
    expect(queues.next()).toEqual(['q1', 'q0']);
    expect(queues.add('new', 'new')).toBe('q0');
    expect([queues.has('q0'), queues.has('new'), queues.values()]).toEqual([false, true, ['q1', 'q2', 'q3', 'new']]);
    queues.setBusy(['q1', 'q2', 'q3', 'new']);
    expect(queues.add('newer', 'newer')).not.toBeNull();
    expect(queues.values()).toHaveLength(4);
  });
});
