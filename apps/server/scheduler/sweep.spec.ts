/** What a look of the sweep does, and when. */
import { expect, it } from '@jest/globals';
import { Sweep } from './sweep.js';
import type { LoopParts } from './scheduler-loop.js';

class OpenSweep extends Sweep {
  look(): Promise<{ again: boolean }> {
    return this.tick();
  }
}

function sweepOf(lost: string[][], full: boolean): { sweep: OpenSweep; done: string[] } {
  const done: string[] = [];
  const parts = { config: { schedulerSweepMs: 5_000, workerLeaseMs: 15_000 }, logger: { warn: () => undefined } } as unknown as LoopParts;
  const sweeper = {
    markLost: () => Promise.resolve(lost.shift() ?? []),
    takeBack: () => Promise.resolve({ taken: done.push('taken back'), full: false }),
  };
  const notes = { clear: () => Promise.resolve({ cleared: done.push('cleared'), full }) };
  const [Sweeper, Notes] = [sweeper, notes] as unknown as [ConstructorParameters<typeof Sweep>[1], ConstructorParameters<typeof Sweep>[2]];
  return { sweep: new OpenSweep(parts, Sweeper, Notes), done };
}

it('clears notes where it takes nothing back, which it does at every third look or when somebody is lost', async () => {
  const { sweep, done } = sweepOf([[], [], [], [], ['somebody']], false);
  for (let look = 0; look < 5; look += 1) expect(await sweep.look()).toEqual({ again: false });
  expect(done).toEqual(['cleared', 'cleared', 'taken back', 'cleared', 'taken back']);
});

it('looks again at once while there are more notes than one look takes', async () => {
  expect(await sweepOf([], true).sweep.look()).toEqual({ again: true });
});
