/** Whose turn it is among the queues of a tenant. */
import { describe, expect, it } from '@jest/globals';
import { QueueTurns, type Wanting } from './queue-turns.js';

const queue = (name: string, most = 100): Wanting => ({ tenant: 'acme', queue: name, most });

describe('the queues of a tenant', () => {
  const names = (turns: QueueTurns, wanting: readonly Wanting[], slots: number): string =>
    turns
      .next(wanting, slots)
      .map((flow) => flow.queue)
      .join('');

  it('take turns, and give what one leaves to the others', () => {
    expect(names(new QueueTurns(), [queue('a'), queue('b', 1), queue('c', 0), queue('d')], 7)).toBe('abdadad');
    expect(names(new QueueTurns(), [queue('a', 1), queue('b', 1)], 7)).toBe('ab');
  });

  it('keep a turn that was not used', () => {
    const turns = new QueueTurns();
    const all = [queue('a'), queue('b'), queue('c')];
    for (let round = 0; round < 3; round += 1) expect(names(turns, all, 1)).toBe('a');
    turns.had(queue('a'));
    expect(names(turns, all, 3)).toBe('bca');
    turns.had(queue('b'));
    turns.had(queue('a'));
    expect(names(turns, all, 3)).toBe('cba');
  });

  it('are remembered up to a bound, and come first when they are forgotten', () => {
    const turns = new QueueTurns(2);
    for (const name of ['a', 'b', 'c']) turns.had(queue(name));
    expect(names(turns, [queue('c'), queue('b'), queue('a')], 3)).toBe('abc');
  });
});
