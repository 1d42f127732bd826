/** Tasks with thousands of attempts and events: nothing reads or deletes them all at once. */
import { expect, it } from '@jest/globals';
import { rows, sql, type Database, type Outcome, type Row, type Sql, type Transaction } from '@app/database';
import { TaskWalk } from '../../../libs/tasks/src/prune-tasks.js';
import { bytesOf, keyed, NO_RETENTION_MS, RETENTION, UNHANDLED_GRACE_MS, type Store } from '../../support/store.js';
import { taskIn } from '../../support/store-states.js';
import { onEveryStore } from '../../support/store-suite.js';
import { TaskSettler } from '@app/tasks';

const DAY_MS = 86_400_000;
const CHUNK = 1_000;

/** Puts so many attempts and events before what the task has had. */
async function lengthen(store: Store, id: string, attempts: number, events = 0): Promise<void> {
  const task = bytesOf(id);
  await store.raw.execute(sql`UPDATE attempts SET attempt = attempt + ${attempts} WHERE task_id = ${task}`);
  await store.raw.execute(sql`UPDATE tasks SET attempt = attempt + ${attempts} WHERE id = ${task}`);
  const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
  const attemptRows = numbers(attempts).map((attempt) => [task, attempt, 'snoozed', Buffer.alloc(16, 7), 1, 1, '', '']);
  const eventRows = numbers(events).map((at) => [task, at, 'promoted', '', '{}']);
  const into = [
    [sql`attempts (task_id, attempt, outcome, worker_id, started_at, finished_at, error_code, error_message)`, attemptRows],
    [sql`task_events (task_id, at, kind, actor, detail)`, eventRows],
  ] as const;
  for (const [table, values] of into)
    for (let from = 0; from < values.length; from += 500)
      await store.raw.execute(sql`INSERT INTO ${table} VALUES ${rows(values.slice(from, from + 500))}`);
}

/** The store's database, and how many rows each of its transactions read (from what) and deleted. */
function watched(store: Store): { database: Database; read: Map<string, number>; deleted: number[] } {
  const read = new Map<string, number>();
  const deleted: number[] = [];
  const database = Object.create(store.database) as Database;
  const watching = (transaction: Transaction): Transaction => ({
    ...transaction,
    query: async <T extends object = Row>(statement: Sql): Promise<T[]> => {
      const found = await transaction.query<T>(statement);
      const table = /FROM (\w+)/.exec(statement.text)?.[1] ?? '';
      read.set(table, (read.get(table) ?? 0) + found.length);
      return found;
    },
    commitWith: async (statements): Promise<Outcome[]> => {
      const outcomes = await transaction.commitWith(statements);
      deleted.push(outcomes.reduce((sum, { affected }) => sum + affected, 0));
      return outcomes;
    },
  });
  database.transaction = (work) => store.database.transaction((transaction) => work(watching(transaction)));
  return { database, read, deleted };
}

onEveryStore('a long history', (current) => {
  it('is not read to find out whether an outcome was recorded', async () => {
    const store = current();
    const worker = await store.hire();
    const [first, second, third] = await store.addMany(3);
    for (const { id } of [first!, second!]) await lengthen(store, id, 300);
    const { database, read } = watched(store);
    const settler = new TaskSettler(database, store.ringer, store.quotas, UNHANDLED_GRACE_MS, (error) => store.errors.push(error));
    const tasks = await store.claimer.claim(
      worker,
      [first!, second!, third!].map(({ id }) => bytesOf(id)),
    );
    const success = tasks.map((task) => ({ worker, task, verdict: { kind: 'succeeded', result: '1' } as const }));
    expect(await settler.settle(success[2]!)).toBe('settled');
    expect(read.get('attempts')).toBeUndefined();
    // Now each group meets a claim that was settled before, and one of nobody.
    const nobody = { ...success[0]!, worker: await store.hire() };
    expect(await Promise.all([success[2]!, success[0]!, nobody, success[1]!].map((one) => settler.settle(one)))).toEqual([
      'settled',
      'settled',
      'fenced',
      'settled',
    ]);
    expect(read.get('attempts')).toBeLessThanOrEqual(3);
    await settler.drained();
  });

  it('is deleted in bounded transactions, and its neighbours with it', async () => {
    const store = current();
    const ids: string[] = [];
    for (let index = 0; index < 4; index += 1) ids.push((await taskIn(store, 'failed')).id);
    await lengthen(store, ids[1]!, 3_300, 2_200);
    await lengthen(store, ids[2]!, 1, 999);
    const { database, deleted } = watched(store);
    const walk = new TaskWalk(database, ['failed'], DAY_MS);
    expect(await walk.step((await store.now()) + 2 * DAY_MS)).toEqual({ deleted: 4, again: false });
    for (const table of ['tasks', 'attempts', 'task_events']) expect(await store.count({ text: table, values: [] })).toBe(0);
    expect(Math.max(...deleted)).toBeLessThanOrEqual(2 * CHUNK + 10);
  });

  it('keeps its end until the task goes, also where an operator sends it round again between two transactions', async () => {
    const store = current();
    const { id } = await taskIn(store, 'failed');
    await lengthen(store, id, 2_500, 10);
    store.database.interrupt(['transaction'], () => Promise.resolve());
    store.database.interrupt(['transaction'], async () => {
      await store.retrier.retry('acme', id, 'someone');
    });
    const walk = new TaskWalk(store.database, ['failed'], DAY_MS);
    expect(await walk.step((await store.now()) + 2 * DAY_MS)).toEqual({ deleted: 0, again: false });
    expect(await store.row(id)).toMatchObject({ state: 'queued', attempt: 2_501 });
    expect((await store.attempts(id)).map(({ attempt }) => Number(attempt))).toEqual(Array.from({ length: 1_501 }, (_, at) => at + 1_001));
    for (const [table, column] of [
      ['attempts', 'task_id'],
      ['task_events', 'task_id'],
      ['tasks', 'id'],
    ] as const)
      await store.raw.execute({ text: `DELETE FROM ${table} WHERE ${column} = ?`, values: [bytesOf(id)] });
    await store.recount();
  });

  it('leaves the rest of a page to the next step when it takes too many transactions', async () => {
    const store = current();
    const ids: string[] = [];
    for (let index = 0; index < 23; index += 1) ids.push((await taskIn(store, 'failed')).id);
    for (const id of ids) await lengthen(store, id, 600);
    const walk = new TaskWalk(store.database, ['failed'], DAY_MS);
    const later = (await store.now()) + 2 * DAY_MS;
    expect(await walk.step(later)).toEqual({ deleted: 20, again: true });
    const left = await store.raw.query<{ id: Buffer }>(sql`SELECT id FROM tasks ORDER BY id`);
    expect(left.map((row) => row.id)).toEqual(ids.slice(20).map(bytesOf));
    expect(await walk.step(later)).toEqual({ deleted: 3, again: false });
    expect(await store.count(sql`attempts`)).toBe(0);
  });
});

onEveryStore('a part of the pruning that fails', (current) => {
  it.each(['transaction', 'execute'] as const)('keeps no other from its turn: %s', async (call) => {
    const store = current();
    await store.add({ idempotency: keyed('old') });
    await store.raw.execute(sql`UPDATE idempotency_keys SET created_at = 1`);
    await taskIn(store, 'failed');
    const pruner = store.prunerOf({ tasks: { ...RETENTION.tasks, failed: NO_RETENTION_MS } });
    store.database.beAway(1, [call]);
    await expect(pruner.prune()).rejects.toMatchObject({ kind: 'unavailable' });
    expect(await store.count(sql`idempotency_keys`)).toBe(0);
    expect(await store.count(sql`tasks WHERE state = 'failed'`)).toBe(call === 'transaction' ? 1 : 0);
    expect((await pruner.prune()).deleted).toBe(call === 'transaction' ? 1 : 0);
  });

  it('throws all that several did', async () => {
    const store = current();
    await taskIn(store, 'failed');
    store.database.beAway(1, ['transaction']);
    store.database.beAway(1, ['execute']);
    const failed = await store
      .prunerOf({ tasks: { ...RETENTION.tasks, failed: NO_RETENTION_MS } })
      .prune()
      .catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(AggregateError);
    expect((failed as AggregateError).errors).toHaveLength(2);
  });
});
