import { describe, expect, it } from '@jest/globals';
import { until } from '../../../../test/support/until.js';
import { fakeIsolate, type FakeIsolate } from '../../../../test/support/fake-isolate.js';
import { IsolatePool, type PoolOptions } from './isolate-pool.js';
import type { IsolateSpec } from './isolate.js';
import { UNREADABLE } from './read-report.js';

const SPEC: IsolateSpec = { kind: 'process', module: 'file:///a.mjs', memoryMb: 64 };
const OTHER: IsolateSpec = { ...SPEC, module: 'file:///b.mjs' };
const never = new AbortController().signal;

function opened(options: Partial<PoolOptions> = {}, boot: (isolate: FakeIsolate) => void = (isolate) => isolate.report({ type: 'ready' })) {
  const made: FakeIsolate[] = [];
  const lost: IsolateSpec[] = [];
  const pool = new IsolatePool({
    start: (spec) => {
      const isolate = fakeIsolate(spec);
      made.push(isolate);
      queueMicrotask(() => boot(isolate));
      return isolate;
    },
    ...{ startsMax: 2, startMs: 5_000, idleMs: 60_000, idleMax: 2, onLoss: ({ spec }) => lost.push(spec) },
    ...options,
  });
  return { pool, made, lost };
}

describe('IsolatePool', () => {
  it('keeps one that was released for the same purpose, and for no other', async () => {
    const { pool, made } = opened();
    const first = await pool.acquire(SPEC, never);
    pool.release(first!);
    expect(await pool.acquire(OTHER, never)).not.toBe(first);
    expect(await pool.acquire({ ...SPEC, kind: 'thread' }, never)).not.toBe(first);
    expect(await pool.acquire({ ...SPEC, memoryMb: 65 }, never)).not.toBe(first);
    expect(await pool.acquire(SPEC, never)).toBe(first);
    expect(await pool.acquire(SPEC, never)).not.toBe(first);
    expect(made).toHaveLength(5);
  });

  it('keeps a bounded number of them, the latest, for a bounded time', async () => {
    const { pool, made } = opened({ idleMs: 50 });
    const three = await Promise.all([SPEC, SPEC, SPEC].map((spec) => pool.acquire(spec, never)));
    for (const isolate of three) pool.release(isolate!);
    expect(made.map(({ killed }) => killed)).toEqual([true, false, false]);
    await until(() => made.every(({ killed }) => killed));
    await until(() => pool.size === 0);
  });

  it.each([{ idleMs: 0 }, { idleMax: 0 }])('keeps none with %j', async (options) => {
    const { pool, made } = opened(options);
    pool.release((await pool.acquire(SPEC, never))!);
    expect(made[0]!.killed).toBe(true);
  });

  it('ends one that was used very often', async () => {
    const { pool, made } = opened();
    for (let use = 0; use < 1_001; use += 1) pool.release((await pool.acquire(SPEC, never))!);
    expect(made.map(({ killed }) => killed)).toEqual([true, false]);
  });

  it('starts a bounded number at once, and hands one that was released to who waits for a start', async () => {
    const { pool, made } = opened({ startsMax: 1 }, () => undefined);
    const acquired = [1, 2, 3].map(() => pool.acquire(SPEC, never));
    await until(() => made.length === 1);
    made[0]!.report({ type: 'ready' });
    const first = await acquired[0]!;
    await until(() => made.length === 2);
    pool.release(first!);
    made[1]!.report({ type: 'ready' });
    await acquired[1]!;
    expect(await acquired[2]!).toBe(first);
    expect(made).toHaveLength(2);
  });

  it('says why one could not be started, and takes the next', async () => {
    const boots: ((isolate: FakeIsolate) => void)[] = [
      (isolate) => isolate.report({ type: 'not-loaded', message: 'a.mjs could not be loaded: no' }),
      (isolate) => isolate.exit({ code: 9 }),
      () => undefined,
      (isolate) => isolate.report({ type: 'ready' }),
    ];
    const { pool, made } = opened({ startMs: 30 }, (isolate) => boots.shift()!(isolate));
    for (const reason of [/could not be loaded: no/, /exit code 9/, /not ready within 30 ms/]) {
      await expect(pool.acquire(SPEC, never)).rejects.toMatchObject({
        code: 'isolate-not-started',
        message: expect.stringMatching(reason),
      });
    }
    expect(await pool.acquire(SPEC, never)).toBe(made[3]);
    expect(made.slice(0, 3).every(({ killed, ended }) => killed || ended)).toBe(true);
  });

  it('lets go of who does not want to wait, and keeps what was started for the next', async () => {
    const { pool, made } = opened({ startMs: 500 }, () => undefined);
    const stop = new AbortController();
    const acquired = pool.acquire(SPEC, stop.signal);
    await until(() => made.length === 1);
    stop.abort();
    expect(await acquired).toBeNull();
    made[0]!.report({ type: 'ready' });
    await until(async () => (await pool.acquire(SPEC, AbortSignal.timeout(20))) === made[0]);
  });

  it('starts nothing for who has stopped to wait for a turn', async () => {
    const { pool, made } = opened({ startsMax: 1 }, () => undefined);
    const first = pool.acquire(SPEC, never);
    const stop = new AbortController();
    const gone = [1, 2, 3].map(() => pool.acquire(OTHER, stop.signal));
    const last = pool.acquire({ ...SPEC, memoryMb: 65 }, never);
    stop.abort();
    expect(await Promise.all(gone)).toEqual([null, null, null]);
    made[0]!.report({ type: 'ready' });
    await first;
    await until(() => made.length === 2);
    expect(made[1]!.spec.memoryMb).toBe(65);
    made[1]!.report({ type: 'ready' });
    await last;
    expect(made).toHaveLength(2);
  });

  it('passes on the turn of who stops to wait at the moment of getting it', async () => {
    const { pool, made } = opened({ startsMax: 1 }, () => undefined);
    const first = pool.acquire(SPEC, never);
    const stop = new AbortController();
    const second = pool.acquire(OTHER, stop.signal);
    const third = pool.acquire(SPEC, stop.signal);
    await until(() => made.length === 1);
    made[0]!.report({ type: 'ready' });
    pool.release((await first)!);
    stop.abort();
    await Promise.all([second, third]);
    expect(await pool.acquire(SPEC, AbortSignal.timeout(5_000))).toBe(made[0]);
    made[1]?.report({ type: 'ready' });
    const other = pool.acquire({ ...SPEC, memoryMb: 65 }, never);
    await until(() => made.at(-1)!.spec.memoryMb === 65);
    made.at(-1)!.report({ type: 'ready' });
    expect(await other).toBe(made.at(-1));
  });

  it('hands one that was released to who waits for the same at once, while the start of another goes on', async () => {
    const { pool, made } = opened({ startsMax: 1, idleMax: 1 }, (isolate) => isolate.spec === SPEC && isolate.report({ type: 'ready' }));
    const busy = await pool.acquire(SPEC, never);
    void pool.acquire(OTHER, never).catch(() => undefined);
    await until(() => made.length === 2);
    const waiting = pool.acquire(SPEC, never);
    pool.release(busy!);
    expect(await waiting).toBe(busy);
    await pool.close();
  });

  it('takes what nobody can read during a start for a failed start', async () => {
    const { pool, made } = opened({}, (isolate) => isolate.report(UNREADABLE));
    await expect(pool.acquire(SPEC, never)).rejects.toMatchObject({ code: 'isolate-not-started' });
    expect(made[0]!.killed).toBe(true);
  });

  it('forgets one without work that ends by itself', async () => {
    const { pool, made, lost } = opened();
    pool.release((await pool.acquire(SPEC, never))!);
    made[0]!.exit({ code: 1 });
    await until(() => lost.length === 1);
    expect(await pool.acquire(SPEC, never)).toBe(made[1]);
  });

  it('ends all of them, and starts no more', async () => {
    const { pool, made } = opened();
    const busy = await pool.acquire(SPEC, never);
    pool.release((await pool.acquire(OTHER, never))!);
    await pool.close();
    expect(made.map(({ killed }) => killed)).toEqual([true, true]);
    expect(pool.size).toBe(0);
    await expect(pool.acquire(SPEC, never)).rejects.toMatchObject({ code: 'isolate-not-started' });
    expect(busy).toBe(made[0]);
  });
});
