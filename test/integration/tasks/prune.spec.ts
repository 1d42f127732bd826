/** History goes when it is old enough, with everything that belongs to it; what has not ended stays for ever. */
import { expect, it } from '@jest/globals';
import { idBytes, sql } from '@app/database';
import { TASK_STATES, type TaskView } from '@app/tasks';
import { recordAudit } from '@app/audit';
import { bytesOf, keyed, OOPS, RETENTION, type Store } from '../../support/store.js';
import { taskIn } from '../../support/store-states.js';
import { onEveryStore } from '../../support/store-suite.js';

const HOUR_MS = 3_600_000;
const BELONGINGS = [
  ...['attempts', 'timers', 'task_tags', 'task_progress', 'cancel_requests', 'idempotency_keys'],
  ...['task_events', 'task_checkpoints', 'task_resources'],
];

/** Makes a task so many ms older: its id, its times and everything that names it. */
async function age(store: Store, { id }: TaskView, ms: number): Promise<string> {
  const now = await store.now();
  const old = Buffer.from(bytesOf(id));
  old.writeUIntBE(now - ms - 60_000, 0, 6);
  for (const [table, column] of [['tasks', 'id'], ...BELONGINGS.map((name) => [name, 'task_id'])] as const)
    await store.raw.execute({ text: `UPDATE ${table} SET ${column} = ? WHERE ${column} = ?`, values: [old, bytesOf(id)] });
  await store.raw.execute(
    sql`UPDATE tasks SET created_at = created_at - ${ms + 60_000}, finished_at = CASE WHEN finished_at = 0 THEN 0 ELSE ${now} - ${ms} END, updated_at = CASE WHEN finished_at = 0 THEN updated_at ELSE ${now} - ${ms} END WHERE id = ${old}`,
  );
  const hex = old.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

const exists = async (store: Store, id: string): Promise<boolean> => (await store.reader.find('acme', idBytes(id)!)) !== null;

onEveryStore('pruning', (current) => {
  it.each(Object.entries(RETENTION.tasks))('keeps a task that is %s for %i ms and not longer', async (state, keptMs) => {
    const store = current();
    const end = state as keyof typeof RETENTION.tasks;
    const young = await age(store, await taskIn(store, end), keptMs - HOUR_MS);
    const old = await age(store, await taskIn(store, end), keptMs + HOUR_MS);
    expect(await store.prunerOf().prune()).toEqual({ deleted: 1, again: false });
    expect([await exists(store, young), await exists(store, old)]).toEqual([true, false]);
  });

  it('never touches what has not ended, however old', async () => {
    const store = current();
    for (const state of ['scheduled', 'queued', 'running', 'retrying'] as const)
      await age(store, await taskIn(store, state), 10_000 * HOUR_MS);
    expect(await store.prunerOf().prune()).toEqual({ deleted: 0, again: false });
    expect(await store.count(sql`tasks`)).toBe(4);
  });

  it('goes by the end and not by the beginning', async () => {
    const store = current();
    const id = await age(store, await taskIn(store, 'succeeded'), 1_000 * HOUR_MS);
    await store.raw.execute(sql`UPDATE tasks SET finished_at = ${await store.now()}, updated_at = ${await store.now()}`);
    expect(await store.prunerOf().prune()).toMatchObject({ deleted: 0 });
    expect(await exists(store, id)).toBe(true);
  });

  it('takes everything along that belongs to the task, and nothing of its neighbours', async () => {
    const store = current();
    const worker = await store.hire();
    const make = async (): Promise<TaskView> => {
      const added = await store.add({ tags: ['t', 'u'], expiresAt: Date.now() + HOUR_MS, deadlineMs: HOUR_MS });
      const claimed = await store.claim(worker, added.id);
      await store.progress.write(worker, claimed, 0.5, 'half');
      await store.checkpoints.write(worker, claimed, 'echo', '{"at":7}');
      await store.resources.register(worker, claimed, 'echo', 'machine', 'm-1');
      await store.canceller.cancel('acme', added.id, 'someone');
      await store.settle(worker, claimed, { kind: 'succeeded', result: '1' });
      return added;
    };
    await age(store, await make(), 1_000 * HOUR_MS);
    const kept = await make();
    expect(await store.prunerOf().prune()).toMatchObject({ deleted: 1 });
    for (const [table, count] of [
      ['attempts', 1],
      ['timers', 2],
      ['task_tags', 2],
      ['task_progress', 1],
      ['cancel_requests', 0],
      ['task_events', 1],
      ['task_checkpoints', 1],
      // Whoever must let go of them still has to, also when nobody remembers the task.
      ['task_resources', 2],
    ] as const)
      expect([table, await store.count({ text: table, values: [] })]).toEqual([table, count]);
    expect(await store.reader.get('acme', kept.id)).toMatchObject({ state: 'succeeded', result: 1, tags: ['t', 'u'] });
  });

  it('walks on where it was, page by page, and starts over at the end', async () => {
    const store = current();
    const tasks = await store.addMany(2_300);
    await store.raw.execute(sql`UPDATE tasks SET state = 'cancelled', phase = 'cancelled', ended = 'cancelled', finished_at = created_at`);
    await store.recount();
    const order = tasks.map(({ id }) => id).sort();
    // The first 2,000 stay: they ended a moment ago, but their ids are as old as the rest.
    const pruner = store.prunerOf();
    await store.raw.execute(sql`UPDATE tasks SET created_at = 1, finished_at = 1, updated_at = 1 WHERE id > ${bytesOf(order[1_999]!)}`);
    await shiftIds(store, 1_000 * HOUR_MS);
    expect(await pruner.prune()).toEqual({ deleted: 0, again: true });
    expect(await pruner.prune()).toEqual({ deleted: 300, again: false });
    expect(await pruner.prune()).toEqual({ deleted: 0, again: true });
    expect(await store.count(sql`tasks`)).toBe(2_000);
  });

  it('does not touch a task that an operator sends round again between the look and the deletion', async () => {
    const store = current();
    const worker = await store.hire();
    const id = await age(store, await taskIn(store, 'failed', { tags: ['t'] }), 1_000 * HOUR_MS);
    const other = await age(store, await taskIn(store, 'failed', { tags: ['t'] }), 1_000 * HOUR_MS);
    let isOver = false;
    store.database.interrupt(['batch', 'transaction'], async () => {
      await store.retrier.retry('acme', id, 'someone');
      await store.settle(worker, await store.claim(worker, id), {
        kind: 'retry',
        delayMs: HOUR_MS,
        error: { code: 'c', message: 'm' },
        timedOut: false,
      });
      isOver = true;
    });
    await store.prunerOf().prune();
    expect(isOver).toBe(true);
    expect(await store.row(id)).toMatchObject({ state: 'retrying', attempt: 2 });
    expect(await store.attempts(id)).toHaveLength(2);
    expect(Object.keys(await store.timers(id))).toEqual(['run']);
    expect(await store.count(sql`task_tags`)).toBe(1);
    expect(await exists(store, other)).toBe(false);
  });

  it('forgets idempotency keys that are old enough, of every tenant', async () => {
    const store = current();
    for (const tenant of ['acme', 'other']) for (const key of ['old', 'young']) await store.add({ tenant, idempotency: keyed(key) });
    const { keyHash } = keyed('old');
    await store.raw.execute(
      sql`UPDATE idempotency_keys SET created_at = created_at - ${RETENTION.idempotencyMs + HOUR_MS} WHERE key_hash = ${keyHash}`,
    );
    await store.raw.execute(
      sql`UPDATE idempotency_keys SET created_at = created_at - ${RETENTION.idempotencyMs - HOUR_MS} WHERE key_hash <> ${keyHash}`,
    );
    expect(await store.prunerOf().prune()).toEqual({ deleted: 2, again: false });
    expect(await store.count(sql`idempotency_keys WHERE key_hash = ${keyHash}`)).toBe(0);
    expect(await store.count(sql`idempotency_keys`)).toBe(2);
    expect(await store.count(sql`tasks`)).toBe(4);
  });

  it('keeps a key that was used again since another pruner deleted it', async () => {
    const store = current();
    await store.add({ idempotency: keyed('again') });
    await store.raw.execute(sql`UPDATE idempotency_keys SET created_at = 1`);
    // First it forgets workers.
    store.database.interrupt(['execute'], () => Promise.resolve());
    store.database.interrupt(['execute'], async () => {
      await store.raw.execute(sql`UPDATE idempotency_keys SET created_at = ${await store.now()}`);
    });
    await store.prunerOf().prune();
    expect(await store.count(sql`idempotency_keys`)).toBe(1);
  });

  it('forgets workers that are gone for long, and no others', async () => {
    const store = current();
    const [live, draining, stopped, lost, fresh] = await Promise.all(Array.from({ length: 5 }, () => store.hire()));
    await store.workers.drain(draining!);
    await store.workers.stop(stopped!);
    await store.bury(lost!);
    await store.raw.execute(sql`UPDATE workers SET heartbeat_at = heartbeat_at - ${RETENTION.workersMs + HOUR_MS}`);
    await store.workers.stop(fresh!);
    await store.raw.execute(sql`UPDATE workers SET heartbeat_at = ${await store.now()} WHERE id = ${fresh!}`);
    await store.prunerOf().prune();
    const left = await store.raw.query<{ id: Buffer }>(sql`SELECT id FROM workers`);
    expect(left.map(({ id }) => id.toString('hex')).sort()).toEqual([live!, draining!, fresh!].map((id) => id.toString('hex')).sort());
  });

  it('forgets requests to cancel that their tasks outran, and keeps those of running tasks', async () => {
    const store = current();
    const worker = await store.hire();
    const [fast, slow] = await store.addMany(2);
    const claimed = await store.claim(worker, fast!.id);
    await store.claim(worker, slow!.id);
    for (const { id } of [fast!, slow!]) await store.canceller.cancel('acme', id, 'someone');
    await store.settle(worker, claimed, { kind: 'succeeded', result: '1' });
    await store.prunerOf().prune();
    expect(await store.canceller.requestedOf(worker)).toEqual([bytesOf(slow!.id)]);
    expect(TASK_STATES).toContain((await store.row(slow!.id)).state);
  });

  it('goes on at once where requests that were outrun fill a page', async () => {
    const store = current();
    const worker = await store.hire();
    const ids = (await store.addMany(501)).map(({ id }) => bytesOf(id));
    const claimed = await store.claimer.claim(worker, ids);
    for (const { id } of claimed) await store.canceller.cancel('acme', id, 'someone');
    await Promise.all(claimed.map((task) => store.settle(worker, task, { kind: 'succeeded', result: '1' })));
    const pruner = store.prunerOf();
    expect([await store.count(sql`cancel_requests`), (await pruner.prune()).again]).toEqual([501, true]);
    expect([await store.count(sql`cancel_requests`), (await pruner.prune()).again]).toEqual([1, false]);
    expect(await store.count(sql`cancel_requests`)).toBe(0);
  });
});

onEveryStore('pruning what operators did', (current) => {
  it('forgets audit entries that are old enough, a page at a time', async () => {
    const store = current();
    const now = await store.now();
    const idAt = (ms: number, number: number): Buffer => {
      const id = Buffer.alloc(16, number % 256);
      id.writeUIntBE(ms, 0, 6);
      id.writeUInt16BE(number, 6);
      return id;
    };
    const made = (ms: number, count: number, action: string) =>
      Array.from({ length: count }, (_, number) =>
        recordAudit(store.raw.dialect, idAt(ms, number), { tenant: 'acme', actor: 'a', action, target: 't', reason: '' }),
      );
    await store.raw.batch(made(now - RETENTION.auditMs - HOUR_MS, 510, 'old'));
    await store.raw.batch(made(now - RETENTION.auditMs + HOUR_MS, 5, 'young'));
    const pruner = store.prunerOf();
    expect(await pruner.prune()).toEqual({ deleted: 500, again: true });
    expect(await pruner.prune()).toEqual({ deleted: 10, again: false });
    expect(await store.raw.query(sql`SELECT DISTINCT action FROM audit_entries`)).toEqual([{ action: 'young' }]);
    expect(await store.count(sql`audit_entries`)).toBe(5);
  });

  it('forgets bulk operations that ended long ago, and none that is under way', async () => {
    const store = current();
    const now = await store.now();
    const [long, short] = [now - RETENTION.bulkMs - HOUR_MS, now - RETENTION.bulkMs + HOUR_MS];
    const insert = (startedAt: number, state: string, finishedAt: number) => {
      const id = Buffer.alloc(16, finishedAt % 251);
      id.writeUIntBE(startedAt, 0, 6);
      return sql`INSERT INTO bulk_operations (id, tenant, action, filter, state, rate_per_second, cursor_id, next_at, requested_by, reason, error, created_at, updated_at, finished_at) VALUES (${id}, 'acme', 'retry', '{}', ${state}, 1, ${id}, 0, 'a', '', '', ${startedAt}, ${startedAt}, ${finishedAt})`;
    };
    await store.raw.batch([
      insert(long - HOUR_MS, 'finished', long),
      insert(long - HOUR_MS, 'aborted', long + 1),
      insert(long - HOUR_MS, 'finished', short),
      insert(long, 'running', 0),
      insert(short, 'failed', short + 1),
    ]);
    expect(await store.prunerOf().prune()).toEqual({ deleted: 2, again: false });
    const left = await store.raw.query(sql`SELECT state FROM bulk_operations`);
    expect(left.map(({ state }) => state).sort()).toEqual(['failed', 'finished', 'running']);
  });
});

onEveryStore('pruning requests to cancel', (current) => {
  it('keeps one that was made for the next round, after the look and before the deletion', async () => {
    const store = current();
    const [worker, other] = [await store.hire(), await store.hire()];
    const added = await store.addMany(2);
    for (const { id } of added) {
      const claimed = await store.claim(worker, id);
      await store.canceller.cancel('acme', id, 'someone');
      await store.settle(worker, claimed, { kind: 'failed', reason: 'permanent_error', error: OOPS, timedOut: false });
      // What a worker without this step would leave behind.
      await store.raw.execute(
        sql`INSERT INTO cancel_requests (task_id, worker_id, requested_at, requested_by) VALUES (${bytesOf(id)}, ${worker}, 1, 'someone')`,
      );
    }
    const [again, over] = added.map(({ id }) => id);
    // First it forgets workers.
    store.database.interrupt(['execute'], () => Promise.resolve());
    store.database.interrupt(['execute', 'transaction'], async () => {
      await store.raw.execute(
        sql`UPDATE tasks SET state = 'running', phase = 'live', ended = 'none', reason = 'none', finished_at = 0, worker_id = ${other}, attempt = 2 WHERE id = ${bytesOf(again!)}`,
      );
      await store.raw.execute(sql`UPDATE cancel_requests SET worker_id = ${other} WHERE task_id = ${bytesOf(again!)}`);
    });
    const pruner = store.prunerOf();
    await pruner.prune();
    expect(await store.canceller.requestedOf(other)).toEqual([bytesOf(again!)]);
    expect(await store.count(sql`cancel_requests WHERE task_id = ${bytesOf(over!)}`)).toBe(0);
    await store.recount();
  });
});

/** Moves the time in every task's id back. */
async function shiftIds(store: Store, ms: number): Promise<void> {
  const found = await store.raw.query<{ id: Buffer }>(sql`SELECT id FROM tasks ORDER BY id`);
  const statements = found.map(({ id }) => {
    const old = Buffer.from(id);
    old.writeUIntBE(id.readUIntBE(0, 6) - ms, 0, 6);
    return sql`UPDATE tasks SET id = ${old} WHERE id = ${id}`;
  });
  await store.raw.batch(statements);
}
