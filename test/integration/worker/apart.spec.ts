/** Tasks of one claim, perhaps of several tenants, begin one after the other: what the handler of one leaves behind is nobody else's. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import type { HandlerLogger, TaskContext } from '@app/handlers';
import { IntakeBench } from '../../support/intake-bench.js';
import { onEveryStore } from '../../support/store-suite.js';
import { until } from '../../support/until.js';

const MINUTE_MS = 60_000;

onEveryStore('tasks of one claim', (current) => {
  let bench: IntakeBench;

  beforeEach(async () => {
    bench = await IntakeBench.set(current());
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    await bench.end();
  });

  const add = async (name: string, more: { tenant?: string; deadlineMs?: number } = {}): Promise<string> =>
    (await current().add({ name, ...more })).id;

  it('do not see what another has put into the asynchronous context, and neither does the worker', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    bench.handle('entering', async ({ tenant }) => {
      seen.push(storage.getStore());
      storage.enterWith(`of ${tenant}`);
      await Promise.resolve();
      seen.push(storage.getStore());
    });
    bench.intake.onRoom = () => seen.push(storage.getStore());
    bench.book.set('acme', { 'tasks.running': 1 });
    const ids = [await add('entering'), await add('entering', { tenant: 'other' })];
    await bench.take(ids);
    await bench.succeeded(ids);
    expect(seen.filter((value) => value !== undefined).sort()).toEqual(['of acme', 'of other']);
    expect(storage.getStore()).toBeUndefined();
  });

  it('are not begun once their time is over, though the one before took it away without a pause', async () => {
    let begun = 0;
    bench.handle('slow', () => {
      const { clock } = current();
      const real = clock.monotonic.bind(clock);
      jest.spyOn(clock, 'monotonic').mockImplementation(() => real() + 2 * MINUTE_MS);
    });
    bench.handle('mortal', () => void (begun += 1));
    const ids = [await add('slow'), await add('mortal', { deadlineMs: MINUTE_MS })];
    await bench.take(ids);
    await until(async () => (await current().row(ids[1]!)).state === 'failed', { what: 'the other to be over' });
    expect(await current().row(ids[1]!)).toMatchObject({ reason: 'deadline_exceeded' });
    expect(begun).toBe(0);
  });

  it('have a logger each, which they may change', async () => {
    const found: unknown[] = [];
    bench.handle('wrapping', ({ logger }) => {
      const mutable = logger as HandlerLogger & { mark?: boolean };
      found.push(mutable.mark);
      mutable.mark = true;
    });
    const ids = [await add('wrapping'), await add('wrapping')];
    await bench.take(ids);
    await bench.succeeded(ids);
    expect(found).toEqual([undefined, undefined]);
  });

  it('have a signal that goes along with a copy of their context, and that they may replace', async () => {
    const found: unknown[] = [];
    bench.handle('replacing', (context) => {
      const copy: TaskContext = { ...context };
      const { signal } = context;
      const own = new AbortController().signal;
      (context as { signal: AbortSignal }).signal = own;
      found.push(copy.signal === signal, context.signal === own, Object.getOwnPropertySymbols(copy));
    });
    const id = await add('replacing');
    await bench.take([id]);
    await bench.succeeded([id]);
    expect(found).toEqual([true, true, []]);
  });
});
