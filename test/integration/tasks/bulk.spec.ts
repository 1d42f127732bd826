/** Operations over many tasks: each task is moved once, whoever runs the steps and whatever dies between them. */
import { expect, it } from '@jest/globals';
import { idFloor, idText, LockTimeout, rows, sql } from '@app/database';
import { IdempotencyKeyReused, InvalidState, NotFound, TooManyOperations } from '@app/errors';
import { TASK_STATES, type BulkRunner, type BulkView, type NewBulk, type NewTask, type TaskFilter, type TaskState } from '@app/tasks';
import { BULK_RUNNING_MAX, bytesOf, keyed, OOPS, takeAll, type Store } from '../../support/store.js';
import { taskIn } from '../../support/store-states.js';
import { onEveryStore } from '../../support/store-suite.js';

const RATE = 1_000;
const poisoned = { kind: 'failed', reason: 'poison', error: OOPS, timedOut: false } as const;

async function start(store: Store, changes: Partial<NewBulk> = {}): Promise<BulkView> {
  const { operation } = await store.bulk.start({
    ...{ tenant: 'acme', action: 'retry', filter: { name: 'echo' }, reason: 'the bank is back', ratePerSecond: RATE },
    ...{ requestedBy: 'ann', idempotency: null, ...changes },
  });
  return operation;
}

/** Lets the throttle's time pass without waiting for it. */
const makeDue = (store: Store) => store.raw.execute(sql`UPDATE bulk_operations SET next_at = next_at - 100000 WHERE state = 'running'`);

/** Steps until nothing runs any more; returns how many steps took an operation. */
async function runAll(store: Store, runner: BulkRunner = store.bulkRunnerOf()): Promise<number> {
  return takeAll(async () => {
    await makeDue(store);
    return runner.step();
  });
}

/** Dead letters by the quickest way, in the queue `many`. */
async function insertFailed(store: Store, count: number, tenant = 'acme'): Promise<Buffer[]> {
  const [template] = await store.addMany(1, { tenant, queue: 'template' });
  const all = Array.from({ length: count }, () => store.ids.next());
  for (let from = 0; from < count; from += 1_000) {
    const values = rows(all.slice(from, from + 1_000).map((id) => [id, 0, '', 0]));
    await store.raw.execute(sql`INSERT INTO task_progress (task_id, fraction, message, updated_at) VALUES ${values}`);
  }
  const same = { text: 'tenant, name, lane, priority, worker_id, run_at, created_at, created_by, options, payload', values: [] };
  await store.raw.batch([
    sql`INSERT INTO tasks (id, queue, phase, state, reason, ended, attempt, updated_at, finished_at, ${same}) SELECT task_id, 'many', 'failed', 'failed', 'poison', 'failed', 1, tasks.updated_at, tasks.updated_at, ${same} FROM task_progress, tasks WHERE id = ${bytesOf(template!.id)}`,
    sql`INSERT INTO attempts (task_id, attempt, outcome, worker_id, started_at, finished_at, error_code, error_message) SELECT task_id, 1, 'failed', task_id, 1, 1, 'oops', 'oops' FROM task_progress`,
    sql`DELETE FROM task_progress`,
  ]);
  return all;
}

const countOf = (store: Store, state: string, tenant = 'acme') =>
  store.count(sql`tasks WHERE state = ${state} AND tenant = ${tenant} AND queue <> 'template'`);

async function retriedOnce(store: Store, ids: readonly Buffer[]): Promise<void> {
  const told = await store.raw.query<{ task_id: Buffer }>(sql`SELECT task_id FROM task_events WHERE kind = 'retried'`);
  expect(told.map(({ task_id: id }) => id.toString('hex')).sort()).toEqual(ids.map((id) => id.toString('hex')).sort());
}

onEveryStore('a bulk operation', (current, backend) => {
  it('is written down at its start, with an audit entry, and touches nothing yet', async () => {
    const store = current();
    const { id } = await taskIn(store, 'failed');
    const before = await store.row(id);
    const operation = await start(store, { filter: { reason: 'permanent_error' }, ratePerSecond: 7 });
    expect(operation).toMatchObject({
      ...{ action: 'retry', filter: { reason: 'permanent_error' }, state: 'running', ratePerSecond: 7 },
      ...{ examined: 0, done: 0, skipped: 0, requestedBy: 'ann', reason: 'the bank is back', error: null, finishedAt: null },
    });
    expect(await store.bulk.get('acme', operation.id)).toEqual(operation);
    expect(await store.row(id)).toEqual(before);
    const { items } = await store.audit.list('acme', {}, { limit: 10, cursor: null });
    expect(items).toMatchObject([
      {
        ...{ actor: 'ann', action: 'bulk.start', target: operation.id, reason: 'the bank is back' },
        detail: { action: 'retry', filter: { reason: 'permanent_error' }, ratePerSecond: 7 },
      },
    ]);
  });

  it('moves 5,000 tasks, each once, rings for them, and tells each of them', async () => {
    const store = current();
    const ids = await insertFailed(store, 5_000);
    const { id } = await start(store);
    expect(await runAll(store)).toBe(26);
    expect(await store.bulk.get('acme', id)).toMatchObject({ state: 'finished', examined: 5_000, done: 5_000, skipped: 0 });
    expect(await countOf(store, 'queued')).toBe(5_000);
    const rung = new Set(store.doorbell.rung);
    expect(ids.filter((task) => rung.has(task.toString('hex')))).toHaveLength(5_000);
    await retriedOnce(store, ids);
    const [event] = await store.raw.query<{ detail: string; actor: string }>(sql`SELECT actor, detail FROM task_events LIMIT 1`);
    expect([event?.actor, JSON.parse(event?.detail ?? '')]).toEqual([
      'ann',
      { from: 'failed', attempt: 1, reason: 'the bank is back', bulk: id },
    ]);
  }, 60_000);

  it('is shared by two runners without doing anything twice', async () => {
    const store = current();
    const ids = await insertFailed(store, 1_200);
    const operations = [await start(store, { filter: { reason: 'poison' } }), await start(store, { filter: { queue: 'many' } })];
    const runners = [store.bulkRunnerOf(), store.bulkRunnerOf(), store.bulkRunnerOf()];
    const work = async (runner: BulkRunner): Promise<void> => {
      while ((await store.count(sql`bulk_operations WHERE state = 'running'`)) > 0) {
        await makeDue(store);
        await runner.step();
      }
    };
    await Promise.all(runners.map(work));
    const views = await Promise.all(operations.map(({ id }) => store.bulk.get('acme', id)));
    expect(views.map(({ state }) => state)).toEqual(['finished', 'finished']);
    expect(views[0]!.done + views[1]!.done).toBe(1_200);
    expect(await countOf(store, 'queued')).toBe(1_200);
    await retriedOnce(store, ids);
  }, 60_000);

  it.each(['loseAnswer', 'loseCommit', 'beBusy', 'delayCommit'] as const)(
    'counts right where the runner meets %s between its steps',
    async (accident) => {
      const store = current();
      const ids = await insertFailed(store, 600);
      const { id } = await start(store, { filter: { state: 'failed' } });
      const orderOne = (): void =>
        accident === 'delayCommit' ? store.database.delayCommit(['transaction']) : store.database[accident](['transaction']);
      for (let accidents = 0; accidents < 2; accidents += 1) {
        orderOne();
        await makeDue(store);
        // Each by a new runner, as after a crash.
        await expect(store.bulkRunnerOf().step()).rejects.toMatchObject({ kind: 'unavailable' });
        await makeDue(store);
        await store.bulkRunnerOf().step();
      }
      await runAll(store);
      expect(await store.bulk.get('acme', id)).toMatchObject({ state: 'finished', examined: 600, done: 600, skipped: 0 });
      expect(await countOf(store, 'queued')).toBe(600);
      await retriedOnce(store, ids);
    },
  );

  it('keeps the pace by the database’s clock, and catches up on one second at most', async () => {
    const store = current();
    await insertFailed(store, 40);
    const { id } = await start(store, { ratePerSecond: 10 });
    const runner = store.bulkRunnerOf();
    const nextAt = async (): Promise<number> => {
      const [row] = await store.raw.query<{ next_at: number }>(sql`SELECT next_at FROM bulk_operations`);
      return row?.next_at ?? 0;
    };
    const due = await nextAt();
    expect(await runner.step()).toEqual({ taken: 1, ended: null });
    expect(await nextAt()).toBe(due + 1_000);
    expect(await store.bulk.get('acme', id)).toMatchObject({ examined: 10, done: 10 });
    await store.raw.execute(sql`UPDATE bulk_operations SET next_at = next_at + 100000`);
    expect(await runner.step()).toEqual({ taken: 0, ended: null });
    await store.raw.execute(sql`UPDATE bulk_operations SET next_at = next_at - 3600000`);
    const before = await store.now();
    await runner.step();
    // A second late, less the second that ten tasks may take.
    expect(await nextAt()).toBeGreaterThanOrEqual(before);
    expect(await nextAt()).toBeLessThanOrEqual(await store.now());
    expect((await store.bulk.get('acme', id)).done).toBe(20);
  });

  it('that is aborted stops before the next step, and says what was done', async () => {
    const store = current();
    await insertFailed(store, 500);
    const { id } = await start(store);
    const runner = store.bulkRunnerOf();
    await runner.step();
    await expect(store.bulk.abort('other', id, 'spy')).rejects.toBeInstanceOf(NotFound);
    expect(await store.bulk.abort('acme', id, 'bob', 'it does no good')).toMatchObject({
      state: 'aborted',
      done: 200,
      finishedAt: expect.any(Number),
    });
    await makeDue(store);
    expect(await runner.step()).toEqual({ taken: 0, ended: null });
    expect([await countOf(store, 'queued'), await countOf(store, 'failed')]).toEqual([200, 300]);
    await expect(store.bulk.abort('acme', id, 'bob')).rejects.toBeInstanceOf(InvalidState);
    const { items } = await store.audit.list('acme', { action: 'bulk.abort' }, { limit: 10, cursor: null });
    expect(items).toMatchObject([
      { actor: 'bob', target: id, reason: 'it does no good', detail: { action: 'retry', done: 200, skipped: 0 } },
    ]);
  });

  // SQLite has one writer: nobody comes in between.
  if (backend.name !== 'sqlite') {
    it('that is aborted during a step lets the step end', async () => {
      const store = current();
      await insertFailed(store, 300);
      const { id } = await start(store);
      let aborting: Promise<BulkView> | undefined;
      store.database.interruptInside(() => {
        aborting = store.bulk.abort('acme', id, 'bob');
        return Promise.resolve();
      });
      await store.bulkRunnerOf().step();
      expect(await aborting).toMatchObject({ state: 'aborted', done: 200 });
      expect(await countOf(store, 'queued')).toBe(200);
    });

    it('passes what another runner has', async () => {
      const store = current();
      await insertFailed(store, 10);
      const { id } = await start(store);
      store.database.interruptInside(async () => {
        expect(await store.bulkRunnerOf().step()).toEqual({ taken: 0, ended: null });
      });
      await store.bulkRunnerOf().step();
      expect(await store.bulk.get('acme', id)).toMatchObject({ state: 'finished', done: 10 });
    });

    it('leaves alone, and counts, what has changed between the look and the lock', async () => {
      const store = current();
      const [, , , changed] = await insertFailed(store, 10);
      const { id } = await start(store);
      const putAside = () => store.raw.execute(sql`UPDATE tasks SET ended = 'discarded' WHERE id = ${changed!}`);
      store.database.interruptInside(putAside, 3);
      await store.bulkRunnerOf().step();
      expect(await store.bulk.get('acme', id)).toMatchObject({ state: 'finished', examined: 10, done: 9, skipped: 1 });
      expect(await store.count(sql`tasks WHERE ended = 'discarded' AND state = 'failed'`)).toBe(1);
    });
  }

  it('finishes with nothing where nothing matches', async () => {
    const store = current();
    await taskIn(store, 'failed');
    const filters: TaskFilter[] = [{ name: 'nobody' }, { tag: 'none' }, { state: 'expired' }];
    const operations: BulkView[] = [];
    for (const filter of filters) operations.push(await start(store, { filter }));
    expect(await runAll(store)).toBe(3);
    for (const { id } of operations) expect(await store.bulk.get('acme', id)).toMatchObject({ state: 'finished', done: 0, skipped: 0 });
  });

  it('leaves alone what was made after its start', async () => {
    const store = current();
    const old = await taskIn(store, 'failed');
    await start(store);
    await store.raw.execute(sql`UPDATE bulk_operations SET created_at = created_at - 1`);
    await store.raw.execute(sql`UPDATE tasks SET created_at = created_at - 1 WHERE id = ${bytesOf(old.id)}`);
    const young = await taskIn(store, 'failed');
    await runAll(store);
    expect(await store.row(old.id)).toMatchObject({ state: 'queued' });
    expect(await store.row(young.id)).toMatchObject({ state: 'failed' });
  });

  it.each<[string, TaskFilter]>([
    ['a reason', { reason: 'permanent_error' }],
    ['a name', { name: 'echo' }],
    ['a tag', { tag: 't' }],
    ['an age', { createdBefore: Date.now() + 600_000 }],
  ])('meets tasks whose ids were made by a clock that is ahead, by %s', async (_, filter) => {
    const store = current();
    const { id } = await taskIn(store, 'failed', { tags: ['t'] });
    const ahead = idFloor(Date.now() + 1_800_000);
    await store.raw.batch([
      sql`UPDATE tasks SET id = ${ahead} WHERE id = ${bytesOf(id)}`,
      sql`UPDATE attempts SET task_id = ${ahead} WHERE task_id = ${bytesOf(id)}`,
      sql`UPDATE task_tags SET task_id = ${ahead} WHERE task_id = ${bytesOf(id)}`,
    ]);
    const operation = await start(store, { filter });
    await runAll(store);
    expect(await store.bulk.get('acme', operation.id)).toMatchObject({ state: 'finished', done: 1 });
    expect(await store.row(idText(ahead))).toMatchObject({ state: 'queued' });
  });

  it('comes to its end at the lowest rate, however much has failed since its start', async () => {
    const store = current();
    await insertFailed(store, 600);
    const { id } = await start(store, { filter: { state: 'failed' }, ratePerSecond: 1 });
    await store.raw.execute(sql`UPDATE bulk_operations SET created_at = 1`);
    expect(await runAll(store)).toBeLessThan(10);
    expect(await store.bulk.get('acme', id)).toMatchObject({ state: 'finished', examined: 600, done: 0 });
  });

  it('asks a worker once: tasks that were asked to stop before are skipped', async () => {
    const store = current();
    const worker = await store.hire();
    const asked = await store.add({ tags: ['t'] });
    await store.claim(worker, asked.id);
    const running = await store.add({ tags: ['t'] });
    await store.claim(worker, running.id);
    await store.canceller.cancel('acme', asked.id, 'bob');
    const { id } = await start(store, { action: 'cancel', filter: { tag: 't' } });
    await runAll(store);
    expect(await store.bulk.get('acme', id)).toMatchObject({ state: 'finished', done: 1, skipped: 1 });
    const events = await store.raw.query(
      sql`SELECT actor FROM task_events WHERE kind = 'cancel_requested' AND task_id = ${bytesOf(asked.id)}`,
    );
    expect(events).toEqual([{ actor: 'bob' }]);
  });

  it('looks at a bounded number of rows per step, and goes on behind them', async () => {
    const store = current();
    await insertFailed(store, 5_100);
    const last = await taskIn(store, 'failed', { name: 'rare' });
    const { id } = await start(store, { filter: { name: 'rare' } });
    const runner = store.bulkRunnerOf();
    expect(await runner.step()).toEqual({ taken: 1, ended: null });
    expect(await store.bulk.get('acme', id)).toMatchObject({ state: 'running', examined: 5_000, done: 0 });
    expect(await runner.step()).toEqual({ taken: 1, ended: id });
    expect(await store.bulk.get('acme', id)).toMatchObject({ state: 'finished', examined: 5_101, done: 1 });
    expect(await store.row(last.id)).toMatchObject({ state: 'queued' });
  }, 60_000);
});

onEveryStore('what a bulk operation means', (current) => {
  /** One task of each state, and a discarded one. */
  async function oneOfEach(store: Store, options: Partial<NewTask> = {}): Promise<Map<TaskState | 'discarded', string>> {
    const ids = new Map<TaskState | 'discarded', string>();
    for (const state of TASK_STATES) ids.set(state, (await taskIn(store, state, options)).id);
    const aside = await taskIn(store, 'failed', options);
    await store.discarder.discard('acme', aside.id, 'someone');
    return ids.set('discarded', aside.id);
  }

  it.each<[NewBulk['action'], TaskFilter, (TaskState | 'discarded')[]]>([
    ['retry', { name: 'echo' }, ['failed']],
    ['retry', { state: 'failed' }, ['failed']],
    ['retry', { state: 'failed', discarded: true }, ['discarded']],
    ['retry', { discarded: false }, ['failed']],
    ['retry', { state: 'cancelled' }, ['cancelled']],
    ['retry', { state: 'expired', queue: 'default' }, ['expired']],
    ['retry', { tag: 't' }, ['failed']],
    ['retry', { tag: 't', reason: 'permanent_error' }, ['failed']],
    ['retry', { reason: 'poison' }, []],
    ['retry', { createdBefore: Date.UTC(2020, 0, 1) }, []],
    ['retry', { createdAfter: Date.UTC(2020, 0, 1) }, ['failed']],
    ['discard', { queue: 'default' }, ['failed']],
    ['discard', { tag: 't', state: 'failed' }, ['failed']],
    ['cancel', { queue: 'default' }, ['scheduled', 'queued', 'running', 'retrying']],
    ['cancel', { tag: 't' }, ['scheduled', 'queued', 'running', 'retrying']],
    ['cancel', { state: 'running' }, ['running']],
    ['cancel', { state: 'scheduled', name: 'echo' }, ['scheduled']],
  ])('%s %j takes %j', async (action, filter, wanted) => {
    const store = current();
    const ids = await oneOfEach(store, { tags: ['t'] });
    const before = new Map(await Promise.all([...ids].map(async ([state, id]) => [state, await store.row(id)] as const)));
    const { id } = await start(store, { action, filter });
    await runAll(store);
    expect(await store.bulk.get('acme', id)).toMatchObject({ state: 'finished', done: wanted.length, skipped: 0 });
    const requests = await store.raw.query<{ task_id: Buffer; requested_by: string }>(
      sql`SELECT task_id, requested_by FROM cancel_requests`,
    );
    for (const [state, task] of ids) {
      const after = await store.row(task);
      if (!wanted.includes(state) || (action === 'cancel' && state === 'running'))
        expect([state, after]).toEqual([state, before.get(state)]);
      else if (action === 'retry') expect(after).toMatchObject({ state: 'queued', ended: 'none', reason: 'none' });
      else if (action === 'discard') expect(after).toMatchObject({ state: 'failed', ended: 'discarded' });
      else expect(after).toMatchObject({ state: 'cancelled', ended: 'cancelled' });
    }
    const asked = action === 'cancel' && wanted.includes('running') ? [{ task_id: bytesOf(ids.get('running')!), requested_by: 'ann' }] : [];
    expect(requests).toEqual(asked);
  });

  it('never touches another tenant’s task, and is not there for another tenant', async () => {
    const store = current();
    const worker = await store.hire();
    const mine = await store.finish(worker, poisoned, { tags: ['t'] });
    const theirs = await store.finish(worker, poisoned, { tenant: 'other', tags: ['t'] });
    const before = await store.row(theirs.id);
    const operations = [await start(store, { filter: { tag: 't' } }), await start(store, { filter: { state: 'failed' } })];
    await runAll(store);
    expect(await store.row(mine.id)).toMatchObject({ state: 'queued' });
    expect(await store.row(theirs.id)).toEqual(before);
    for (const { id } of operations) await expect(store.bulk.get('other', id)).rejects.toBeInstanceOf(NotFound);
    for (const id of ['', 'x', theirs.id]) await expect(store.bulk.get('acme', id)).rejects.toBeInstanceOf(NotFound);
    expect(await store.bulk.list('other', { limit: 10, cursor: null })).toEqual({ items: [], nextCursor: null });
    const page = await store.bulk.list('acme', { limit: 1, cursor: null });
    expect(page.items.map(({ id }) => id)).toEqual([operations[1]!.id]);
    const rest = await store.bulk.list('acme', { limit: 10, cursor: page.nextCursor });
    expect([rest.items.map(({ id }) => id), rest.nextCursor]).toEqual([[operations[0]!.id], null]);
  });
});

onEveryStore('starting bulk operations', (current) => {
  it('is bounded per tenant, however many ask at once', async () => {
    const store = current();
    const outcomes = await Promise.allSettled(Array.from({ length: BULK_RUNNING_MAX + 4 }, () => start(store)));
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => reason as unknown);
    expect(refused).toHaveLength(4);
    for (const reason of refused) expect(reason).toBeInstanceOf(TooManyOperations);
    expect(await store.count(sql`bulk_operations`)).toBe(BULK_RUNNING_MAX);
    expect(await store.count(sql`audit_entries`)).toBe(BULK_RUNNING_MAX);
    await start(store, { tenant: 'other' });
    await runAll(store);
    expect(await start(store)).toMatchObject({ state: 'running' });
  });

  it('with a key happens once, and refuses another request with it', async () => {
    const store = current();
    const wanted = {
      tenant: 'acme',
      action: 'retry',
      filter: { name: 'echo' },
      reason: 'r',
      ratePerSecond: 5,
      requestedBy: 'ann',
    } as const;
    const started = await Promise.all([1, 2, 3, 4].map(() => store.bulk.start({ ...wanted, idempotency: keyed('k') })));
    expect(new Set(started.map(({ operation }) => operation.id)).size).toBe(1);
    expect(started.filter(({ replayed }) => !replayed)).toHaveLength(1);
    await expect(store.bulk.start({ ...wanted, idempotency: keyed('k', 'another') })).rejects.toBeInstanceOf(IdempotencyKeyReused);
    expect(await store.bulk.start({ ...wanted, tenant: 'other', idempotency: keyed('k', 'another') })).toMatchObject({ replayed: false });
    store.database.loseAnswer();
    await expect(store.bulk.start({ ...wanted, idempotency: keyed('lost') })).rejects.toMatchObject({ kind: 'unavailable' });
    expect(await store.bulk.start({ ...wanted, idempotency: keyed('lost') })).toMatchObject({ replayed: true });
    store.database.loseCommit();
    await expect(store.bulk.start({ ...wanted, idempotency: keyed('not there') })).rejects.toMatchObject({ kind: 'unavailable' });
    expect(await store.bulk.start({ ...wanted, idempotency: keyed('not there') })).toMatchObject({ replayed: false });
    await store.raw.execute(sql`DELETE FROM bulk_operations`);
    expect(await store.bulk.start({ ...wanted, idempotency: keyed('k') })).toMatchObject({ replayed: false });
  });

  it('one whose steps the database is always too busy for keeps no other waiting, and never ends as failed', async () => {
    const store = current();
    await taskIn(store, 'failed');
    const stuck = await start(store, { filter: { name: 'echo' } });
    const free = await start(store, { filter: { name: 'nobody' } });
    await store.raw.execute(sql`UPDATE bulk_operations SET next_at = next_at + 1 WHERE id = ${bytesOf(free.id)}`);
    const runner = store.bulkRunnerOf();
    for (let times = 0; times < 4; times += 1) {
      await makeDue(store);
      await store.raw.execute(sql`UPDATE bulk_operations SET next_at = 1 WHERE id = ${bytesOf(stuck.id)}`);
      store.database.interruptInside(() => Promise.reject(new LockTimeout(new Error('somebody holds the rows'))), 2);
      await expect(runner.step()).rejects.toBeInstanceOf(LockTimeout);
      expect(await runner.step()).toEqual(times === 0 ? { taken: 1, ended: free.id } : { taken: 0, ended: null });
    }
    await runAll(store, runner);
    expect(await store.bulk.get('acme', stuck.id)).toMatchObject({ state: 'finished', done: 1 });
  });

  it('one that cannot be set back either throws what happened first', async () => {
    const store = current();
    await start(store);
    store.database.interruptInside(() => {
      store.database.beAway(1, ['execute']);
      return Promise.reject(new LockTimeout(new Error('somebody holds the rows')));
    }, 2);
    await expect(store.bulkRunnerOf().step()).rejects.toBeInstanceOf(LockTimeout);
  });

  it('one whose steps the database refuses ends as failed, and keeps no other waiting', async () => {
    const store = current();
    await taskIn(store, 'failed');
    const bad = await start(store, { filter: { name: 'echo' } });
    await store.raw.execute(sql`UPDATE bulk_operations SET filter = ${'{'}`);
    const good = await start(store, { filter: { state: 'failed' } });
    await store.raw.execute(sql`UPDATE bulk_operations SET next_at = next_at + 1 WHERE id = ${bytesOf(good.id)}`);
    const runner = store.bulkRunnerOf();
    await makeDue(store);
    await expect(runner.step()).rejects.toThrow();
    expect(await runner.step()).toEqual({ taken: 1, ended: good.id });
    expect(await runner.step()).toEqual({ taken: 0, ended: null });
    for (let refusals = 1; refusals < 3; refusals += 1) {
      expect(await store.raw.query(sql`SELECT state FROM bulk_operations WHERE id = ${bytesOf(bad.id)}`)).toEqual([{ state: 'running' }]);
      await makeDue(store);
      // By another scheduler each time: what was refused before is not forgotten.
      await expect(store.bulkRunnerOf().step()).rejects.toThrow();
    }
    await store.raw.execute(sql`UPDATE bulk_operations SET filter = '{}' WHERE id = ${bytesOf(bad.id)}`);
    expect(await store.bulk.get('acme', bad.id)).toMatchObject({ state: 'failed', done: 0, error: expect.stringContaining('refused') });
    expect(await store.bulk.get('acme', good.id)).toMatchObject({ state: 'finished', done: 1 });
  });
});
