/**
 * Tenants that share workers: nobody waits for the length of another's backlog, whichever way the tasks come in, slots follow the
 * weights, and a tenant at its running limit keeps nobody and costs next to nothing. The store's door has no window to speak of, so
 * that what is rung is all at the door.
 */
import { afterEach, expect, it } from '@jest/globals';
import { list, sql } from '@app/database';
import type { NewTask } from '@app/tasks';
import { WorkerModule } from '../../../apps/server/worker/worker.module.js';
import { addQueues } from '../../support/queue-rows.js';
import { startRole, type RunningRole } from '../../support/role-in-process.js';
import { bytesOf, newTask, type Store } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';
import { until } from '../../support/until.js';

const SLOTS = 4;
const MANY = 1_500;
const FEW = 10;
/** Bounds a wait that a failing test would make, in ms. */
const PATIENCE = { deadlineMs: 25_000 };
const WORKER = {
  WORKER_CONCURRENCY: String(SLOTS),
  WORKER_POLL_MS: '200',
  LIMITS_REFRESH_MS: '100',
  DOORBELL_PATIENCE_MS: '50',
};

onEveryStore('tenants that share workers', (current) => {
  const roles: RunningRole[] = [];

  afterEach(async () => {
    await Promise.all(roles.splice(0).map((role) => role.stop()));
    await current().raw.execute(sql`DELETE FROM limits`);
  });

  /** Over the database that counts. */
  const work = async (environment: Readonly<Record<string, string>> = {}): Promise<void> => {
    const store = { ...current(), raw: current().database };
    roles.push(await startRole(store, { ...WORKER, ...environment }, (config) => WorkerModule.for(config)));
  };

  /** By a process that knows no queue yet; resolves when all is committed and rung. */
  const submit = async (count: number, ms: number, options: Partial<NewTask>): Promise<Buffer[]> => {
    const store = current();
    const submitter = store.submitterOf();
    const task = newTask({ name: 'sleep', payload: `{"ms":${ms}}`, ...options });
    const added = await Promise.all(Array.from({ length: count }, () => submitter.submit(task)));
    await store.ringer.drained();
    return added.map(({ task: { id } }) => bytesOf(id));
  };

  /** Each with a message of its own, as they have that come one by one. */
  const submitToDoor = async (count: number, ms: number, options: Partial<NewTask>): Promise<void> => {
    const store = current();
    const before = store.doorbell.window;
    store.doorbell.window = 'shut';
    const ids = await submit(count, ms, options);
    store.doorbell.window = before;
    await store.raw.execute(sql`UPDATE tasks SET phase = 'live', rung_at = ${store.raw.dialect.now} WHERE id IN (${list(ids)})`);
    const { tenant, queue } = newTask(options);
    await store.doorbell.ring(ids.map((id) => ({ tenant, queue, lane: 'normal', ids: [id] })));
  };

  const setLimit = async (tenant: string, name: string, value: number): Promise<void> => {
    // In one transaction: in between, the tenant would have no limit at all.
    await current().raw.batch([
      sql`DELETE FROM limits WHERE tenant = ${tenant} AND name = ${name}`,
      sql`INSERT INTO limits (tenant, queue, name, value, set_at, set_by, reason) VALUES (${tenant}, '', ${name}, ${value}, 1, 'test', 'test')`,
    ]);
  };

  const begun = (tenant: string): Promise<number> => current().count(sql`tasks WHERE tenant = ${tenant} AND attempt > 0`);
  const ended = (tenant: string): Promise<number> => current().count(sql`tasks WHERE tenant = ${tenant} AND state = 'succeeded'`);
  const inState = (tenant: string, state: string): Promise<number> =>
    current().count(sql`tasks WHERE tenant = ${tenant} AND state = ${state}`);
  const endedAll = async (ids: readonly Buffer[]): Promise<boolean> =>
    (await current().count(sql`tasks WHERE id IN (${list(ids)}) AND state = 'succeeded'`)) === ids.length;

  it.each([
    ['at the door', 'open', 'open'],
    ['in the database', 'shut', 'shut'],
    ['in the database, with the few at the door', 'shut', 'open'],
    ['at the door, with the few in the database', 'open', 'shut'],
  ] as const)('does not let ten tasks of one wait for the many of another that are %s', async (_where, many, few) => {
    const store = current();
    store.doorbell.window = many;
    if (many === 'open') await submitToDoor(MANY, 10, { tenant: 'heavy' });
    else await submit(MANY, 10, { tenant: 'heavy' });
    await work();
    await until(async () => (await begun('heavy')) > 2 * SLOTS, { ...PATIENCE, what: 'the many to begin' });
    const before = await begun('heavy');
    store.doorbell.window = few;
    const ids = await submit(FEW, 10, { tenant: 'light' });
    await until(() => endedAll(ids), { ...PATIENCE, what: 'the few to end' });
    // What was begun before the few were seen, and then a turn of the other's for each turn of theirs.
    expect((await begun('heavy')) - before).toBeLessThan(MANY / 3);
    expect(await begun('heavy')).toBeLessThan(MANY);
  });

  it('does not let them wait while the many keep coming to a door that is never empty', async () => {
    const store = current();
    await submitToDoor(MANY, 10, { tenant: 'heavy' });
    await work();
    await until(async () => (await begun('heavy')) > 2 * SLOTS, { ...PATIENCE, what: 'the many to begin' });
    const submissions = new AbortController();
    const coming = (async () => {
      while (!submissions.signal.aborted) await submit(50, 10, { tenant: 'heavy' });
    })();
    try {
      const ids = await submit(FEW, 10, { tenant: 'light' });
      await until(() => endedAll(ids), { ...PATIENCE, what: 'the few to end' });
    } finally {
      submissions.abort();
      await coming;
    }
    expect(await begun('heavy')).toBeLessThan(MANY);
    expect(store.errors).toEqual([]);
  });

  it.each(['open', 'shut'] as const)('shares the slots by weight, with a door that is %s', async (window) => {
    const store = current();
    await setLimit('one', 'weight', 1);
    await setLimit('four', 'weight', 4);
    store.doorbell.window = window;
    await Promise.all([submit(600, 5, { tenant: 'one' }), submit(600, 5, { tenant: 'four' })]);
    await work();
    await until(async () => (await begun('four')) >= 400, { ...PATIENCE, everyMs: 5, what: 'the share of four' });
    const one = await begun('one');
    expect(one).toBeGreaterThanOrEqual(60);
    expect(one).toBeLessThanOrEqual(160);
  });

  it('never runs more of a tenant than its limit, on all workers together, and lets others pass meanwhile', async () => {
    const store = current();
    const limit = 3;
    await setLimit('heavy', 'tasks.running', limit);
    const heavy = await submit(40, 20, { tenant: 'heavy' });
    store.doorbell.window = 'shut';
    heavy.push(...(await submit(40, 20, { tenant: 'heavy', queue: 'other' })));
    store.doorbell.window = 'as it is';
    await Promise.all([work(), work()]);
    const light = await submit(40, 5, { tenant: 'light' });
    await until(() => endedAll(light), { ...PATIENCE, what: 'the others to end' });
    expect(await endedAll(heavy)).toBe(false);
    await until(() => endedAll(heavy), { ...PATIENCE, what: 'all to end' });
    expect(await mostAtOnce(store, 'heavy')).toBe(limit);
  });

  it('costs a few statements per look while a tenant is at its limit, and no message comes back', async () => {
    const store = current();
    await setLimit('heavy', 'tasks.running', 1);
    await submit(1, 600_000, { tenant: 'heavy' });
    await work();
    await until(async () => (await inState('heavy', 'running')) === 1, { ...PATIENCE, what: 'the one to run' });
    await submit(200, 1, { tenant: 'heavy' });
    await until(async () => (await store.count(sql`tasks WHERE phase = 'unrung'`)) === 200, {
      ...PATIENCE,
      what: 'the others to be set aside',
    });
    store.database.reset();
    const rung = store.doorbell.rung.length;
    const { counts } = store.database;
    await until(() => counts.transaction >= 5, { ...PATIENCE, what: 'five looks for room' });
    // Each look for room is a look at the places (two statements for one place) and one question; beside it, pauses, names and slots.
    // Nothing is written but a heartbeat now and then.
    expect(counts.execute + counts.batch).toBeLessThan(5);
    expect(counts.query).toBeLessThan(60);
    expect(store.doorbell.rung).toHaveLength(rung);
    expect(await inState('heavy', 'running')).toBe(1);
  });

  it('goes on at once when one of the tasks ends here, without waiting for the next look', async () => {
    await setLimit('heavy', 'tasks.running', 2);
    const ids = await submit(60, 5, { tenant: 'heavy' });
    // Thirty looks of this worker would take half an hour.
    await work({ WORKER_POLL_MS: '60000' });
    await until(() => endedAll(ids), { ...PATIENCE, what: 'all to end' });
    expect(await mostAtOnce(current(), 'heavy')).toBe(2);
  });

  it('follows a limit that is changed while it works, up and away', async () => {
    const store = current();
    await setLimit('heavy', 'tasks.running', 1);
    await submit(8, 600_000, { tenant: 'heavy' });
    await Promise.all([work(), work()]);
    const running = (count: number): Promise<unknown> =>
      until(async () => (await inState('heavy', 'running')) === count, { ...PATIENCE, what: `${count} to run` });
    await running(1);
    await setLimit('heavy', 'tasks.running', 3);
    await running(3);
    await store.raw.execute(sql`DELETE FROM limits`);
    await running(8);
    expect(await ended('heavy')).toBe(0);
  });

  it('does not let a queue wait for another that is never empty where neither has a reader of its own', async () => {
    const store = current();
    const taken = Array.from({ length: 40 }, (_, number) => `a-${String(number).padStart(2, '0')}`);
    await addQueues(store, 'acme', [...taken, 'busy', 'quiet']);
    store.doorbell.window = 'open';
    await work();
    const submissions = new AbortController();
    // One by one, so that there is a message at every look, and none waits so long that it is set aside.
    const coming = Promise.all(
      Array.from({ length: SLOTS - 1 }, async () => {
        while (!submissions.signal.aborted) await submit(1, 10, { tenant: 'heavy', queue: 'busy' });
      }),
    );
    try {
      await until(async () => (await begun('heavy')) > 10 * SLOTS, { ...PATIENCE, what: 'the many to begin' });
      const ids = await submit(FEW, 10, { tenant: 'light', queue: 'quiet' });
      await until(() => endedAll(ids), { deadlineMs: 15_000, what: 'the few to end' });
    } finally {
      submissions.abort();
      await coming;
    }
    expect(store.errors).toEqual([]);
  }, 60_000);

  it('finds a queue that nobody used before, however many there are', async () => {
    const store = current();
    const others = Array.from({ length: 10_500 }, (_, number) => `q-${String(number).padStart(5, '0')}`);
    await addQueues(store, 'heavy', others);
    store.doorbell.window = 'open';
    await work();
    const ids = await submit(FEW, 10, { tenant: 'light', queue: 'z-new' });
    await until(() => endedAll(ids), { ...PATIENCE, what: 'the few to end' });
    expect(store.errors).toEqual([]);
  }, 60_000);
});

/** From the attempts: how many were under way at once. An end comes before a beginning of the same millisecond. */
async function mostAtOnce(store: Store, tenant: string): Promise<number> {
  const attempts = await store.raw.query<{ started_at: number; finished_at: number }>(
    sql`SELECT a.started_at, a.finished_at FROM attempts a JOIN tasks t ON t.id = a.task_id WHERE t.tenant = ${tenant}`,
  );
  const moves = attempts.flatMap(({ started_at: from, finished_at: to }) => [
    { at: Number(from), change: 1 },
    { at: Number(to), change: -1 },
  ]);
  moves.sort((a, b) => a.at - b.at || a.change - b.change);
  let now = 0;
  return moves.reduce((most, { change }) => Math.max(most, (now += change)), 0);
}
