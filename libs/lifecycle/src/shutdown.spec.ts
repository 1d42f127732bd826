import { describe, expect, it } from '@jest/globals';
import { DeadlineExceeded } from './deadline.js';
import { Drain } from './drain.js';
import { Shutdown, STAGES } from './shutdown.js';

describe('a shutdown', () => {
  it('runs the parts of one stage, side by side, and of no other', async () => {
    const shutdown = new Shutdown();
    const log: string[] = [];
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    shutdown.on('drain', 'first', async () => {
      log.push('first begins');
      await released;
      log.push('first ends');
    });
    shutdown.on('drain', 'second', async () => {
      log.push('second');
      release();
    });
    shutdown.on('close', 'third', async () => {
      log.push('third');
    });
    expect(await shutdown.run('drain', 1_000)).toEqual([]);
    expect(log).toEqual(['first begins', 'second', 'first ends']);
    expect(await shutdown.run('finish', 1_000)).toEqual([]);
    expect(await shutdown.run('close', 1_000)).toEqual([]);
    expect(log.at(-1)).toBe('third');
  });

  it('tells each part its budget', async () => {
    const shutdown = new Shutdown();
    const budgets: number[] = [];
    for (const stage of STAGES) shutdown.on(stage, stage, async (budgetMs) => void budgets.push(budgetMs));
    for (const [index, stage] of STAGES.entries()) await shutdown.run(stage, index + 1);
    expect(budgets).toEqual([1, 2, 3]);
  });

  it('names the parts that fail, at once or later, and gives the others their turn', async () => {
    const shutdown = new Shutdown();
    const ran: string[] = [];
    const [later, atOnce] = [new Error('later'), new Error('at once')];
    shutdown.on('finish', 'later', () => Promise.reject(later));
    shutdown.on('finish', 'at once', () => {
      throw atOnce;
    });
    shutdown.on('finish', 'good', async () => void ran.push('good'));
    expect(await shutdown.run('finish', 1_000)).toEqual([
      { part: 'later', error: later },
      { part: 'at once', error: atOnce },
    ]);
    expect(ran).toEqual(['good']);
  });

  it('does not wait longer than the budget for a part that hangs', async () => {
    const shutdown = new Shutdown();
    shutdown.on('close', 'hanging', () => new Promise(() => undefined));
    const [failure] = await shutdown.run('close', 5);
    expect(failure?.part).toBe('hanging');
    expect(failure?.error).toBeInstanceOf(DeadlineExceeded);
    expect(String(failure?.error)).toContain('hanging did not finish within 5 ms');
  });
});

describe('the drain', () => {
  it('begins once and tells it', () => {
    const drain = new Drain();
    let told = 0;
    drain.signal.addEventListener('abort', () => (told += 1));
    expect(drain.draining).toBe(false);
    drain.begin();
    drain.begin();
    expect([drain.draining, told]).toEqual([true, 1]);
  });
});
