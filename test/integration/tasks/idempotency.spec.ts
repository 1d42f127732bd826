/** One key, one task: whoever comes later, from wherever, in whatever company. */
import { expect, it } from '@jest/globals';
import { sql } from '@app/database';
import { IdempotencyInProgress, IdempotencyKeyReused, Unavailable } from '@app/errors';
import type { Submitted } from '@app/tasks';
import { bytesOf, keyed, newTask, type Store } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';

/** How many tasks and keys there are; every key names a task. */
async function stored(store: Store): Promise<{ tasks: number; keys: number }> {
  const orphans = await store.count(sql`idempotency_keys WHERE task_id NOT IN (SELECT id FROM tasks)`);
  expect(orphans).toBe(0);
  return { tasks: await store.count(sql`tasks`), keys: await store.count(sql`idempotency_keys`) };
}

const fulfilled = (answers: readonly PromiseSettledResult<Submitted>[]): Submitted[] =>
  answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));

onEveryStore('an idempotency key', (current) => {
  it('answers the same request with the same task', async () => {
    const store = current();
    const task = newTask({ idempotency: keyed('k'), payload: '[1]', tags: ['t'] });
    const first = await store.submitter.submit(task);
    const second = await store.submitter.submit(task);
    expect(first.replayed).toBe(false);
    expect(second).toEqual({ task: first.task, replayed: true });
    expect(await stored(store)).toEqual({ tasks: 1, keys: 1 });
  });

  it('answers with the task as it is by now', async () => {
    const store = current();
    const worker = await store.hire();
    const view = await store.finish(worker, { kind: 'succeeded', result: '{"x":1}' }, { idempotency: keyed('k') });
    const replay = await store.submitter.submit(newTask({ idempotency: keyed('k') }));
    expect(replay).toEqual({ task: view, replayed: true });
    expect(replay.task).toMatchObject({ state: 'succeeded', result: { x: 1 } });
  });

  it('refuses another request', async () => {
    const store = current();
    await store.add({ idempotency: keyed('k') });
    await expect(store.add({ idempotency: keyed('k', 'another body') })).rejects.toBeInstanceOf(IdempotencyKeyReused);
    expect(await stored(store)).toEqual({ tasks: 1, keys: 1 });
  });

  it('of each of a thousand requests at once answers all of them again', async () => {
    const store = current();
    const all = () =>
      store.submitter.submitMany(Array.from({ length: 1_000 }, (_, index) => newTask({ idempotency: keyed(`many ${index}`) })));
    const first = await all();
    const second = await all();
    const ids = (answers: PromiseSettledResult<Submitted>[]) =>
      answers.map((answer) => (answer.status === 'fulfilled' ? answer.value.task.id : String(answer.reason)));
    expect(ids(second)).toEqual(ids(first));
    expect(second.every((answer) => answer.status === 'fulfilled' && answer.value.replayed)).toBe(true);
  });

  it('is free again once the history of its task is gone', async () => {
    const store = current();
    const first = await store.submitter.submit(newTask({ idempotency: keyed('outlived') }));
    await store.raw.execute(sql`DELETE FROM tasks WHERE id = ${bytesOf(first.task.id)}`);
    await store.recount();
    const second = await store.submitter.submit(newTask({ idempotency: keyed('outlived') }));
    expect(second.replayed).toBe(false);
    expect(second.task.id).not.toBe(first.task.id);
    expect((await store.submitter.submit(newTask({ idempotency: keyed('outlived') }))).task.id).toBe(second.task.id);
  });

  it('means nothing to another tenant', async () => {
    const store = current();
    const mine = await store.add({ idempotency: keyed('k') });
    const theirs = await store.add({ tenant: 'other', idempotency: keyed('k', 'another body') });
    expect(theirs.id).not.toBe(mine.id);
    const both = await store.submitter.submitMany([
      newTask({ idempotency: keyed('j') }),
      newTask({ tenant: 'other', idempotency: keyed('j') }),
    ]);
    expect(fulfilled(both).map(({ replayed }) => replayed)).toEqual([false, false]);
    expect(await stored(store)).toEqual({ tasks: 4, keys: 4 });
  });

  it('makes one task of 50 requests at once', async () => {
    const store = current();
    const answers = await Promise.all(Array.from({ length: 50 }, () => store.submitter.submit(newTask({ idempotency: keyed('k') }))));
    expect(new Set(answers.map(({ task }) => task.id)).size).toBe(1);
    expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(await stored(store)).toEqual({ tasks: 1, keys: 1 });
  });

  it('makes one task of 50 requests at once over five processes', async () => {
    const store = current();
    const submitters = Array.from({ length: 5 }, () => store.submitterOf());
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) => submitters[index % 5]!.submit(newTask({ idempotency: keyed('k') }))),
    );
    expect(new Set(answers.map(({ task }) => task.id)).size).toBe(1);
    expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(await stored(store)).toEqual({ tasks: 1, keys: 1 });
  });

  it('keeps many keys apart over processes that meet them in different order', async () => {
    const store = current();
    const keys = Array.from({ length: 40 }, (_, index) => `key ${index}`);
    const orders = [keys, [...keys].reverse(), [...keys.slice(20), ...keys.slice(0, 20)]];
    const answers = await Promise.all(
      orders.map((order) => {
        const submitter = store.submitterOf();
        return submitter.submitMany(order.map((key) => newTask({ idempotency: keyed(key), payload: JSON.stringify(key) })));
      }),
    );
    const all = answers.flat();
    expect(all.filter(({ status }) => status === 'rejected')).toEqual([]);
    const byKey = new Map<unknown, Set<string>>();
    for (const { task } of fulfilled(all)) byKey.set(task.payload, (byKey.get(task.payload) ?? new Set()).add(task.id));
    expect([...byKey.values()].map(({ size }) => size)).toEqual(keys.map(() => 1));
    expect(await stored(store)).toEqual({ tasks: 40, keys: 40 });
  });

  it('fails no neighbour of a duplicate, wherever in the group they stand', async () => {
    const store = current();
    const first = await store.add({ idempotency: keyed('k'), name: 'first' });
    const answers = await store.submitter.submitMany([
      newTask({ name: 'a' }),
      newTask({ idempotency: keyed('k'), name: 'first' }),
      newTask({ name: 'b', idempotency: keyed('b') }),
      newTask({ idempotency: keyed('k', 'another body') }),
      newTask({ name: 'c', delayMs: 60_000 }),
      newTask({ name: 'b', idempotency: keyed('b') }),
      newTask({ name: 'd', idempotency: keyed('b', 'another body') }),
      newTask({ name: 'e' }),
    ]);
    const told = answers.map((answer) =>
      answer.status === 'rejected'
        ? (answer.reason as { code: string }).code
        : `${answer.value.replayed ? 'replayed' : 'new'} ${answer.value.task.name}`,
    );
    expect(told).toEqual([
      'new a',
      'replayed first',
      'new b',
      'idempotency-key-reused',
      'new c',
      'replayed b',
      'idempotency-key-reused',
      'new e',
    ]);
    expect(fulfilled(answers)[1]?.task.id).toBe(first.id);
    expect(await stored(store)).toEqual({ tasks: 5, keys: 2 });
  });

  it('is not taken by a row that the database refuses', async () => {
    const store = current();
    const broken = newTask({ idempotency: keyed('k'), name: 'x'.repeat(129), timeoutMs: 2 ** 70 });
    const answers = await store.submitter.submitMany([broken, newTask({ name: 'beside' })]);
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(await stored(store)).toEqual({ tasks: 1, keys: 0 });
    const repaired = await store.submitter.submit(newTask({ idempotency: keyed('k') }));
    expect(repaired.replayed).toBe(false);
  });

  it('is not taken while the database is away', async () => {
    const store = current();
    store.database.beAway(1);
    await expect(store.add({ idempotency: keyed('k') })).rejects.toBeInstanceOf(Unavailable);
    expect(await stored(store)).toEqual({ tasks: 0, keys: 0 });
    expect((await store.submitter.submit(newTask({ idempotency: keyed('k') }))).replayed).toBe(false);
  });

  it('that somebody holds for too long is in progress, and fails nobody who stood beside it', async () => {
    const store = current();
    store.database.beBusy();
    const together = await store.submitter.submitMany([
      newTask({ idempotency: keyed('k') }),
      newTask(),
      newTask({ idempotency: keyed('l') }),
    ]);
    expect(together.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
    store.database.beBusy();
    await expect(store.add({ idempotency: keyed('m') })).rejects.toBeInstanceOf(IdempotencyInProgress);
    store.database.beBusy();
    await expect(store.add()).rejects.toBeInstanceOf(Unavailable);
    expect(await stored(store)).toEqual({ tasks: 3, keys: 2 });
  });
});
