/** If the lease is not mine, I do not write; and what is mine is written once, however often the database goes away. */
import { expect, it } from '@jest/globals';
import { sql } from '@app/database';
import { Unavailable } from '@app/errors';
import type { ClaimedTask, Verdict } from '@app/tasks';
import { bytesOf, OOPS, type Store } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';
import { until } from '../../support/until.js';

const SUCCESS: Verdict = { kind: 'succeeded', result: '"mine"' };
const RETRY: Verdict = { kind: 'retry', delayMs: 60_000, error: OOPS, timedOut: false };
const RELEASE: Verdict = { kind: 'released', delayMs: 0, error: null, unhandled: false };
const VERDICTS: readonly (readonly [string, Verdict])[] = [
  ['succeeded', SUCCESS],
  ['retry', RETRY],
  ['failed', { kind: 'failed', reason: 'permanent_error', error: OOPS, timedOut: false }],
  ['cancelled', { kind: 'cancelled', error: null }],
  ['released', RELEASE],
];

const REFUSED = 'refuse-me';

/** From now on the database refuses attempts that carry the word. */
async function refuse(store: Store): Promise<void> {
  const condition = `NEW.error_code = '${REFUSED}' OR NEW.result = '"${REFUSED}"'`;
  const lite = `WHEN ${condition} BEGIN SELECT RAISE(ABORT, 'refused'); END`;
  const servers = `IF ${condition} THEN SIGNAL SQLSTATE '45000'; END IF`;
  const body = store.raw.dialect.engine === 'sqlite' ? lite : servers;
  await store.dataSource.query(`CREATE TRIGGER refusing BEFORE INSERT ON attempts FOR EACH ROW ${body}`);
}

async function refuseNoMore(store: Store): Promise<void> {
  await store.dataSource.query('DROP TRIGGER IF EXISTS refusing');
}

/** Claims so many tasks at once. */
async function claimMany(store: Store, worker: Buffer, count: number): Promise<ClaimedTask[]> {
  const added = await store.addMany(count);
  return store.claimer.claim(
    worker,
    added.map(({ id }) => bytesOf(id)),
  );
}

onEveryStore('a writer without the lease', (current) => {
  it.each(VERDICTS)('writes nothing once the task was taken back: %s', async (_what, verdict) => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add();
    const claimed = await store.claim(worker, id);
    await store.bury(worker);
    await store.sweeper.takeBack();
    const before = await store.row(id);
    expect(before).toMatchObject({ state: 'queued' });
    expect(await store.settle(worker, claimed, verdict)).toBe('fenced');
    expect(store.errors).toEqual([]);
    expect(await store.row(id)).toEqual(before);
    expect(await store.attempts(id)).toMatchObject([{ outcome: 'lost' }]);
    expect(await store.timers(id)).toEqual({});
  });

  it.each(VERDICTS)('writes nothing once another worker has the task: %s', async (_what, verdict) => {
    const store = current();
    const [worker, other] = [await store.hire(), await store.hire()];
    const { id } = await store.add();
    const claimed = await store.claim(worker, id);
    await store.bury(worker);
    await store.sweeper.takeBack();
    const theirs = await store.claim(other, id);
    const before = await store.row(id);
    expect(await store.settle(worker, claimed, verdict)).toBe('fenced');
    // The number alone does not open the door either: the right attempt by the wrong worker.
    expect(await store.settle(worker, { ...claimed, attempt: theirs.attempt }, verdict)).toBe('fenced');
    expect(store.errors).toEqual([]);
    expect(await store.row(id)).toEqual(before);
    expect(await store.settle(other, theirs, SUCCESS)).toBe('settled');
    expect((await store.attempts(id)).map(({ outcome }) => outcome)).toEqual(['lost', 'succeeded']);
  });

  it.each(VERDICTS)('writes nothing under an old number, even where it holds the task again: %s', async (_what, verdict) => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add();
    const first = await store.claim(worker, id);
    await store.bury(worker);
    await store.sweeper.takeBack();
    await store.raw.execute(sql`UPDATE workers SET state = 'live'`);
    const second = await store.claim(worker, id);
    const before = await store.row(id);
    expect(await store.settle(worker, first, verdict)).toBe('fenced');
    expect(store.errors).toEqual([]);
    expect(await store.row(id)).toEqual(before);
    expect(await store.settle(worker, second, SUCCESS)).toBe('settled');
  });

  it('does not keep its neighbours from settling, nor send them the slow way one by one', async () => {
    const store = current();
    const [worker, other] = [await store.hire(), await store.hire()];
    const claimed = await claimMany(store, worker, 50);
    const lost = claimed[20]!;
    await store.bury(worker);
    await store.raw.execute(sql`UPDATE tasks SET worker_id = ${other} WHERE id <> ${lost.bytes}`);
    await store.sweeper.takeBack();
    await store.raw.execute(sql`UPDATE tasks SET worker_id = ${worker} WHERE id <> ${lost.bytes}`);
    store.database.reset();
    const results = await Promise.all(claimed.map((task) => store.settle(worker, task, SUCCESS)));
    expect(results).toEqual(claimed.map((task) => (task === lost ? 'fenced' : 'settled')));
    expect(await store.count(sql`tasks WHERE state = 'succeeded'`)).toBe(49);
    expect(store.errors).toEqual([]);
    expect(store.database.counts.transaction).toBeLessThanOrEqual(2);
  });

  it('does not keep its neighbours from settling where verdicts differ', async () => {
    const store = current();
    const worker = await store.hire();
    const claimed = await claimMany(store, worker, 10);
    const settled = await Promise.all(claimed.map((task) => store.settle(worker, task, VERDICTS[Number(task.bytes[15]) % 5]![1])));
    expect(new Set(settled)).toEqual(new Set(['settled']));
    const again = await Promise.all(claimed.map((task) => store.settle(worker, task, RETRY)));
    // The attempt is in the book under this worker's name: it was settled, whatever is said later.
    expect(new Set(again)).toEqual(new Set(['settled']));
    expect(await store.count(sql`attempts`)).toBe(10);
  });
});

onEveryStore('an outcome whose COMMIT is not answered', (current) => {
  const verdicts = VERDICTS.map(([what, verdict]) => [what, verdict] as const);

  it.each(verdicts)('and that happened is settled, once: %s', async (_what, verdict) => {
    const store = current();
    const worker = await store.hire();
    const claimed = await claimMany(store, worker, 5);
    store.database.loseAnswer();
    expect(await Promise.all(claimed.map((task) => store.settle(worker, task, verdict)))).toEqual(claimed.map(() => 'settled'));
    expect(await store.count(sql`attempts`)).toBe(5);
    expect(await store.count(sql`tasks WHERE state = 'running'`)).toBe(0);
    expect(await store.count(sql`tasks WHERE failures > 1`)).toBe(0);
  });

  it.each(verdicts)('and that did not happen is settled, once: %s', async (_what, verdict) => {
    const store = current();
    const worker = await store.hire();
    const claimed = await claimMany(store, worker, 5);
    store.database.loseCommit();
    expect(await Promise.all(claimed.map((task) => store.settle(worker, task, verdict)))).toEqual(claimed.map(() => 'settled'));
    expect(await store.count(sql`attempts`)).toBe(5);
    expect(await store.count(sql`tasks WHERE state = 'running'`)).toBe(0);
  });

  it('and that happened is settled also when the database stays away for a while', async () => {
    const store = current();
    const worker = await store.hire();
    const claimed = await claimMany(store, worker, 5);
    store.database.loseAnswer();
    store.database.beAway(2);
    expect(await Promise.all(claimed.map((task) => store.settle(worker, task, SUCCESS)))).toEqual(claimed.map(() => 'settled'));
    expect(store.errors.map((error) => error instanceof Unavailable)).toEqual([true, true]);
    expect(await store.count(sql`attempts`)).toBe(5);
  });

  it('stays settled when somebody has taken the task further meanwhile', async () => {
    const store = current();
    const [worker, other] = [await store.hire(), await store.hire()];
    const [claimed] = await claimMany(store, worker, 1);
    store.database.loseAnswer();
    store.database.interrupt(['transaction'], async () => {
      await store.raw.execute(
        sql`UPDATE tasks SET state = 'running', phase = 'live', attempt = attempt + 1, worker_id = ${other} WHERE id = ${claimed!.bytes}`,
      );
    });
    expect(await store.settle(worker, claimed!, RELEASE)).toBe('settled');
    expect(await store.row(claimed!.id)).toMatchObject({ state: 'running', worker_id: other, attempt: 2 });
  });
});

onEveryStore('an outcome while the database is away', (current) => {
  it('is held, and settled when it is back', async () => {
    const store = current();
    const worker = await store.hire();
    const claimed = await claimMany(store, worker, 3);
    store.database.beAway(3);
    expect(await Promise.all(claimed.map((task) => store.settle(worker, task, RETRY)))).toEqual(['settled', 'settled', 'settled']);
    expect(store.errors).toHaveLength(3);
    expect(await store.count(sql`attempts`)).toBe(3);
  });

  it('is fenced in the end, where the task was taken back meanwhile', async () => {
    const store = current();
    const worker = await store.hire();
    const [claimed] = await claimMany(store, worker, 1);
    store.database.beAway(1);
    store.database.interrupt(['transaction'], async () => {
      await store.bury(worker);
      await store.sweeper.takeBack();
    });
    expect(await store.settle(worker, claimed!, SUCCESS)).toBe('fenced');
    expect(await store.attempts(claimed!.id)).toMatchObject([{ outcome: 'lost' }]);
  });

  it('is given up when the process must go', async () => {
    const store = current();
    const settler = store.settlerOf();
    const worker = await store.hire();
    const [claimed] = await claimMany(store, worker, 1);
    store.database.beAway(1_000);
    const settling = settler.settle({ worker, task: claimed!, verdict: SUCCESS });
    settling.catch(() => undefined);
    await until(() => store.errors.length > 0);
    settler.stop();
    await expect(settling).rejects.toBeInstanceOf(Unavailable);
    await settler.drained();
    store.database.reset();
    expect(await store.row(claimed!.id)).toMatchObject({ state: 'running' });
  });
});

onEveryStore('an outcome that the database refuses', (current) => {
  const result: Verdict = { kind: 'succeeded', result: `"${REFUSED}"` };
  const error: Verdict = { kind: 'retry', delayMs: 60_000, error: { code: REFUSED, message: 'no' }, timedOut: false };
  const NOT_STORABLE = { state: 'failed', reason: 'permanent_error', lastError: { code: 'outcome-not-storable' } };

  it.each([
    ['a result', result],
    ['an error', error],
  ] as const)('because of %s ends the task as failed, and says so', async (_what, verdict) => {
    const store = current();
    const worker = await store.hire();
    const claimed = await claimMany(store, worker, 4);
    await refuse(store);
    try {
      const results = await Promise.all(claimed.map((task, index) => store.settle(worker, task, index === 2 ? verdict : SUCCESS)));
      expect(results).toEqual(['settled', 'settled', 'settled', 'settled']);
    } finally {
      await refuseNoMore(store);
    }
    expect(await store.reader.get('acme', claimed[2]!.id)).toMatchObject({ ...NOT_STORABLE, attempt: 1 });
    expect(await store.count(sql`tasks WHERE state = 'succeeded'`)).toBe(3);
  });

  it('in a group with a task that was taken back fails no neighbour', async () => {
    const store = current();
    const [worker, other] = [await store.hire(), await store.hire()];
    const claimed = await claimMany(store, worker, 4);
    const [gone] = await claimMany(store, other, 1);
    await store.bury(other);
    await store.sweeper.takeBack();
    await refuse(store);
    try {
      const settling = [
        ...claimed.map((task, index) => store.settle(worker, task, index === 1 ? result : SUCCESS)),
        store.settle(other, gone!, SUCCESS),
      ];
      expect(await Promise.all(settling)).toEqual(['settled', 'settled', 'settled', 'settled', 'fenced']);
    } finally {
      await refuseNoMore(store);
    }
    expect(await store.reader.get('acme', claimed[1]!.id)).toMatchObject(NOT_STORABLE);
  });

  it('is held as any other while the database is away', async () => {
    const store = current();
    const worker = await store.hire();
    const [claimed] = await claimMany(store, worker, 1);
    await refuse(store);
    try {
      store.database.interrupt(['transaction'], () => {
        store.database.beAway(1);
        return Promise.resolve();
      });
      expect(await store.settle(worker, claimed!, result)).toBe('settled');
    } finally {
      await refuseNoMore(store);
    }
    expect(await store.reader.get('acme', claimed!.id)).toMatchObject(NOT_STORABLE);
  });

  it('is fenced where the task is no longer the worker’s', async () => {
    const store = current();
    const worker = await store.hire();
    const [claimed] = await claimMany(store, worker, 1);
    await store.bury(worker);
    await store.sweeper.takeBack();
    await refuse(store);
    try {
      expect(await store.settle(worker, claimed!, result)).toBe('fenced');
    } finally {
      await refuseNoMore(store);
    }
    expect(await store.row(claimed!.id)).toMatchObject({ state: 'queued' });
  });

  // SQLite has no length to exceed.
  it('for its length, where a column has one, ends the task as well', async () => {
    const store = current();
    const worker = await store.hire();
    const [claimed] = await claimMany(store, worker, 1);
    const message = 'x'.repeat(2_001);
    expect(await store.settle(worker, claimed!, { kind: 'retry', delayMs: 1, error: { code: 'oops', message }, timedOut: false })).toBe(
      'settled',
    );
    expect(await store.row(claimed!.id)).toMatchObject({ state: store.raw.dialect.engine === 'sqlite' ? 'retrying' : 'failed' });
  });
});
