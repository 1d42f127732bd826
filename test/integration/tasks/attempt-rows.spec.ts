/** No attempt without its transition, and no transition without its attempt: both or neither, whatever state the task is in (SW-4). */
import { expect, it } from '@jest/globals';
import { DatabaseError, sql, type Sql } from '@app/database';
import type { ClaimedTask, TaskState, Verdict } from '@app/tasks';
import { bytesOf, OOPS, type Store } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';

const HOUR_MS = 3_600_000;
const SUCCESS: Verdict = { kind: 'succeeded', result: '1' };
const RETRY: Verdict = { kind: 'retry', delayMs: HOUR_MS, error: OOPS, timedOut: false };
const FAILED: Verdict = { kind: 'failed', reason: 'permanent_error', error: OOPS, timedOut: false };
const WAYS: readonly (readonly [string, Verdict])[] = [
  ['at once, with others', SUCCESS],
  ['row by row', RETRY],
];

/** How a task that somebody believes to run comes to be in another state: taken back, and then moved on. */
const MOVED_ON: Readonly<Record<Exclude<TaskState, 'scheduled'>, (store: Store, id: string) => Promise<unknown>>> = {
  queued: () => Promise.resolve(),
  running: async (store, id) => store.claim(await store.hire(), id),
  retrying: (store, id) => runAgain(store, id, RETRY),
  succeeded: (store, id) => runAgain(store, id, SUCCESS),
  failed: (store, id) => runAgain(store, id, FAILED),
  cancelled: (store, id) => store.canceller.cancel('acme', id, 'someone'),
  expired: async (store, id) => {
    await store.makeDue(id, 'expire');
    await store.expirer.expire('expire');
  },
};

async function runAgain(store: Store, id: string, verdict: Verdict): Promise<void> {
  const worker = await store.hire();
  await store.settle(worker, await store.claim(worker, id), verdict);
}

const CASES = Object.entries(MOVED_ON).flatMap(([state, moveOn]) =>
  WAYS.map(([way, verdict]) => [state as TaskState, way, verdict, moveOn] as const),
);

/** From now on the statement that the condition names fails, as it would on a full disk. */
async function fail(store: Store, when: string, table: string, condition: string): Promise<void> {
  const lite = `WHEN ${condition} BEGIN SELECT RAISE(ABORT, 'refused'); END`;
  const servers = `IF ${condition} THEN SIGNAL SQLSTATE '45000'; END IF`;
  const body = store.raw.dialect.engine === 'sqlite' ? lite : servers;
  await store.dataSource.query(`CREATE TRIGGER failing ${when} ON ${table} FOR EACH ROW ${body}`);
}

onEveryStore('an attempt', (current) => {
  it.each(CASES)('is not recorded where the task is %s by now: %s (SW-4)', async (state, _way, verdict, moveOn) => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add({ expiresAt: Date.now() + HOUR_MS });
    const claimed = await store.claim(worker, id);
    await store.bury(worker);
    await store.sweeper.takeBack();
    await moveOn(store, id);
    const before = { row: await store.row(id), attempts: await store.attempts(id), timers: await store.timers(id) };
    expect(before.row.state).toBe(state);
    expect(await store.settle(worker, claimed, verdict)).toBe('fenced');
    expect({ row: await store.row(id), attempts: await store.attempts(id), timers: await store.timers(id) }).toEqual(before);
  });

  it.each(WAYS)('that cannot be recorded moves nothing: %s (SW-4)', async (_way, verdict) => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add();
    const claimed = await store.claim(worker, id);
    const before = await store.row(id);
    await fail(store, 'BEFORE INSERT', 'attempts', 'NEW.attempt > 0');
    try {
      await expect(store.settle(worker, claimed, verdict)).rejects.toBeInstanceOf(DatabaseError);
    } finally {
      await store.dataSource.query('DROP TRIGGER failing');
    }
    expect(await store.row(id)).toEqual(before);
    expect(await store.settle(worker, claimed, verdict)).toBe('settled');
  });

  it.each(WAYS)('whose transition cannot be made is not recorded: %s (SW-4)', async (_way, verdict) => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add();
    const claimed = await store.claim(worker, id);
    await fail(store, 'BEFORE UPDATE', 'tasks', `NEW.state <> 'running'`);
    try {
      await expect(store.settle(worker, claimed, verdict)).rejects.toBeInstanceOf(DatabaseError);
    } finally {
      await store.dataSource.query('DROP TRIGGER failing');
    }
    expect(await store.attempts(id)).toEqual([]);
    expect(await store.settle(worker, claimed, verdict)).toBe('settled');
    expect(await store.attempts(id)).toHaveLength(1);
  });

  it('of many is recorded for exactly those whose transition was made (SW-4)', async () => {
    const store = current();
    const [worker, other] = [await store.hire(), await store.hire()];
    const added = await store.addMany(20);
    const ids = added.map(({ id }) => bytesOf(id));
    const claimed = await store.claimer.claim(worker, ids);
    const gone = (task: ClaimedTask): boolean => Number(task.bytes[15]) % 3 === 0;
    const theirs: Sql[] = claimed.filter(gone).map(({ bytes }) => sql`UPDATE tasks SET worker_id = ${other} WHERE id = ${bytes}`);
    await store.raw.batch(theirs);
    const results = await Promise.all(claimed.map((task) => store.settle(worker, task, SUCCESS)));
    expect(results).toEqual(claimed.map((task) => (gone(task) ? 'fenced' : 'settled')));
    for (const task of claimed) {
      expect((await store.row(task.id)).state).toBe(gone(task) ? 'running' : 'succeeded');
      expect(await store.attempts(task.id)).toHaveLength(gone(task) ? 0 : 1);
    }
  });
});
