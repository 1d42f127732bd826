/** Waiting for the end of a task, and the progress on the way there. */
import { expect, it } from '@jest/globals';
import { Drain } from '@app/lifecycle';
import { TaskWaiter, type TaskView } from '@app/tasks';
import { within } from '../../support/until.js';
import type { Store } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';

const PATIENCE_MS = 30_000;
const never = new AbortController().signal;
const soon = <T>(promise: Promise<T>): Promise<T> => within(promise, 10_000, 'the wait to end');

/** Resolves when the waiter has looked at the database so many times more. */
async function looks(store: Store, times: number): Promise<void> {
  for (let count = 0; count < times; count += 1)
    await new Promise<void>((resolve) => store.database.interrupt(['query'], async () => resolve()));
}

onEveryStore('waiting', (current) => {
  it('ends with the task, whichever end that is', async () => {
    const store = current();
    const worker = await store.hire();
    const [good, bad, gone] = await store.addMany(3);
    const waits = [good!, bad!, gone!].map(({ id }) => store.waiter.wait('acme', id, PATIENCE_MS, never));
    await looks(store, 2);
    await store.settle(worker, await store.claim(worker, good!.id), { kind: 'succeeded', result: '[1]' });
    await store.settle(worker, await store.claim(worker, bad!.id), {
      kind: 'failed',
      reason: 'permanent_error',
      error: { code: 'c', message: 'm' },
      timedOut: false,
    });
    await store.canceller.cancel('acme', gone!.id, 'someone');
    const views = await soon(Promise.all(waits));
    expect(views).toMatchObject([
      { id: good!.id, state: 'succeeded', result: [1] },
      { id: bad!.id, state: 'failed' },
      { id: gone!.id, state: 'cancelled' },
    ]);
  });

  it('is over at once for a task that has ended already', async () => {
    const store = current();
    const done = await store.finish(await store.hire(), { kind: 'succeeded', result: '1' });
    expect(await soon(store.waiter.wait('acme', done.id, PATIENCE_MS, never))).toEqual(done);
  });

  it('gives up at its timeout, and leaves the others waiting', async () => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add();
    const patient = store.waiter.wait('acme', id, PATIENCE_MS, never);
    expect(await soon(store.waiter.wait('acme', id, 20, never))).toBeNull();
    await store.settle(worker, await store.claim(worker, id), { kind: 'succeeded', result: '1' });
    expect(await soon(patient)).toMatchObject({ state: 'succeeded' });
  });

  it('ends when the caller leaves', async () => {
    const store = current();
    const { id } = await store.add();
    const caller = new AbortController();
    const waiting = store.waiter.wait('acme', id, PATIENCE_MS, caller.signal);
    await looks(store, 1);
    caller.abort();
    expect(await soon(waiting)).toBeNull();
    expect(await soon(store.waiter.wait('acme', id, PATIENCE_MS, caller.signal))).toBeNull();
  });

  it('ends when the process begins to stop, and does not begin then', async () => {
    const store = current();
    const drain = new Drain();
    const waiter = new TaskWaiter(store.database, store.reader, drain);
    const { id } = await store.add();
    const waiting = waiter.wait('acme', id, PATIENCE_MS, never);
    await looks(store, 1);
    drain.begin();
    expect(await soon(waiting)).toBeNull();
    expect(await soon(waiter.wait('acme', id, PATIENCE_MS, never))).toBeNull();
  });

  it('outlasts a database that is away for a moment', async () => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add();
    const claimed = await store.claim(worker, id);
    const waiting = store.waiter.wait('acme', id, PATIENCE_MS, never);
    store.database.beAway(2, ['query']);
    await looks(store, 1);
    await store.settle(worker, claimed, { kind: 'succeeded', result: '1' });
    expect(await soon(waiting)).toMatchObject({ state: 'succeeded' });
  });

  it('of hundreds costs one look for all of them', async () => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add();
    const waits: Promise<TaskView | null>[] = Array.from({ length: 300 }, () => store.waiter.wait('acme', id, PATIENCE_MS, never));
    await looks(store, 1);
    store.database.reset();
    await looks(store, 3);
    expect(store.database.counts.query).toBeLessThanOrEqual(4);
    await store.settle(worker, await store.claim(worker, id), { kind: 'succeeded', result: '1' });
    expect((await soon(Promise.all(waits))).every((view) => view?.state === 'succeeded')).toBe(true);
  });

  it('for what is no id ends at once', async () => {
    const store = current();
    expect(await soon(store.waiter.wait('acme', 'nonsense', PATIENCE_MS, never))).toBeNull();
  });
});

onEveryStore('progress', (current) => {
  it('is kept and overwritten while the task is the worker’s', async () => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add();
    const claimed = await store.claim(worker, id);
    expect(await store.progress.write(worker, claimed, 0.25, 'a quarter')).toBe(true);
    expect((await store.reader.get('acme', id)).progress).toMatchObject({ fraction: 0.25, message: 'a quarter' });
    expect(await store.progress.write(worker, claimed, 1, '')).toBe(true);
    expect(await store.progress.write(worker, claimed, 1, '')).toBe(true);
    const { progress } = await store.reader.get('acme', id);
    expect(progress).toMatchObject({ fraction: 1, message: null });
    expect(progress!.updatedAt).toBeGreaterThanOrEqual(claimed.startedAt);
  });

  it('is refused to everybody else', async () => {
    const store = current();
    const [worker, other] = [await store.hire(), await store.hire()];
    const { id } = await store.add();
    const claimed = await store.claim(worker, id);
    await store.progress.write(worker, claimed, 0.1, 'mine');
    expect(await store.progress.write(other, claimed, 0.9, 'theirs')).toBe(false);
    expect(await store.progress.write(worker, { ...claimed, attempt: 2 }, 0.9, 'early')).toBe(false);
    await store.settle(worker, claimed, { kind: 'succeeded', result: '1' });
    expect(await store.progress.write(worker, claimed, 0.9, 'late')).toBe(false);
    expect((await store.reader.get('acme', id)).progress).toMatchObject({ fraction: 0.1, message: 'mine' });
  });
});
