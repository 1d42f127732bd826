import { describe, expect, it } from '@jest/globals';
import { FINAL_STATES, isFinal, mayMove, MOVES, TASK_STATES, type TaskState } from './states.js';

const reachableFrom = (starts: readonly TaskState[], moves = MOVES): Set<TaskState> => {
  const reached = new Set<TaskState>(starts);
  for (let before = -1; before !== reached.size;) {
    before = reached.size;
    for (const { from, to } of moves) if (reached.has(from)) reached.add(to);
  }
  return reached;
};

describe('the table of moves', () => {
  it('reaches every state from the two a task is born in', () => {
    expect([...reachableFrom(['queued', 'scheduled'])].sort()).toEqual([...TASK_STATES].sort());
  });

  it.each(TASK_STATES.filter((state) => !isFinal(state)))('lets a %s task reach every final state without an operator', (state) => {
    const reached = reachableFrom(
      [state],
      MOVES.filter(({ by }) => by !== 'operator'),
    );
    expect([...reached]).toEqual(expect.arrayContaining([...FINAL_STATES]));
  });

  it('lets nobody but an operator move a finished task, and only into the queue', () => {
    const fromFinal = MOVES.filter(({ from }) => isFinal(from));
    expect(fromFinal.map(({ from, to, by }) => `${by}: ${from} → ${to}`).sort()).toEqual([
      'operator: cancelled → queued',
      'operator: expired → queued',
      'operator: failed → queued',
    ]);
  });

  it('lets an operator move nothing else', () => {
    expect(MOVES.filter(({ from, by }) => by === 'operator' && !isFinal(from))).toEqual([]);
  });

  it('has one way into running: a claim of a queued task', () => {
    expect(MOVES.filter(({ to }) => to === 'running').map(({ from, by }) => [from, by])).toEqual([['queued', 'worker']]);
  });

  it('has no way back into scheduled, and into retrying only from a worker', () => {
    expect(MOVES.filter(({ to }) => to === 'scheduled')).toEqual([]);
    expect(MOVES.filter(({ to }) => to === 'retrying').map(({ from, by }) => [from, by])).toEqual([['running', 'worker']]);
  });

  it('lets the promoter do nothing but queue what waits', () => {
    expect(MOVES.filter(({ by }) => by === 'promoter').map(({ from, to }) => [from, to])).toEqual([
      ['scheduled', 'queued'],
      ['retrying', 'queued'],
    ]);
  });

  it('names each move once, moves nothing onto itself, and gives a reason', () => {
    const keys = MOVES.map(({ from, to, by }) => `${from} ${to} ${by}`);
    expect(new Set(keys).size).toBe(keys.length);
    expect(MOVES.filter(({ from, to }) => from === to)).toEqual([]);
    expect(MOVES.filter(({ why }) => why.trim() === '')).toEqual([]);
  });
});

describe('questions to the table', () => {
  it('knows the final states', () => {
    expect(TASK_STATES.filter(isFinal)).toEqual(['succeeded', 'failed', 'cancelled', 'expired']);
  });

  it('answers for every pair as the table says', () => {
    for (const from of TASK_STATES) {
      for (const to of TASK_STATES) {
        expect(mayMove(from, to)).toBe(MOVES.some((move) => move.from === from && move.to === to));
      }
    }
  });

  it('tells who may make a move', () => {
    expect(mayMove('failed', 'queued', 'operator')).toBe(true);
    expect(mayMove('failed', 'queued', 'promoter')).toBe(false);
    expect(mayMove('succeeded', 'queued', 'operator')).toBe(false);
    expect(mayMove('running', 'queued', 'sweeper')).toBe(true);
    expect(mayMove('running', 'succeeded', 'sweeper')).toBe(false);
  });
});
