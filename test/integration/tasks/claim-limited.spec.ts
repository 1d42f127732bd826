/** Claims of a tenant that may run only so many tasks at a time: never one too many, whoever claims and however. */
import { setImmediate } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { list, sql } from '@app/database';
import { Unavailable } from '@app/errors';
import type { ClaimedTask } from '@app/tasks';
import { bytesOf, newTask, OOPS, type Store } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';

const PLACE = { queue: 'default', lane: 'normal', tenant: 'acme' } as const;
const FULL = { claimed: [], full: true, busy: false };
const NOTHING = { claimed: [], full: false, busy: false };
const BUSY = { claimed: [], full: false, busy: true };
const noTrying = (): void => undefined;

onEveryStore('claiming within a limit', (current, backend) => {
  /** By a submitter that knows no queue yet, as every process does when it starts. */
  const addMany = async (count: number, options: Parameters<typeof newTask>[0] = {}): Promise<Buffer[]> => {
    const submitter = current().submitterOf();
    const added = await Promise.all(Array.from({ length: count }, () => submitter.submit(newTask(options))));
    await submitter.drained();
    return added.map(({ task }) => bytesOf(task.id));
  };
  const running = (store: Store, tenant = 'acme'): Promise<number> =>
    store.count(sql`tasks WHERE tenant = ${tenant} AND state = 'running'`);

  it('takes the oldest of the ids, as many as there is room for, and says when there is none', async () => {
    const store = current();
    const worker = await store.hire();
    const ids = (await addMany(5)).sort(Buffer.compare);
    const first = await store.limitedClaimer.claim(worker, 'acme', [...ids].reverse(), 3);
    expect(first.claimed.map(({ bytes }) => bytes).sort(Buffer.compare)).toEqual(ids.slice(0, 3));
    expect(first.full).toBe(true);
    expect(await store.limitedClaimer.claim(worker, 'acme', ids.slice(3), 3)).toEqual(FULL);
    await store.settle(worker, first.claimed[0]!, { kind: 'succeeded', result: 'null' });
    expect(await store.limitedClaimer.claim(worker, 'acme', ids.slice(3), 3)).toMatchObject({ claimed: [{ attempt: 1 }], full: true });
    expect(await store.limitedClaimer.claim(worker, 'acme', ids.slice(4), 10)).toMatchObject({ claimed: [{}], full: false });
    expect(await store.limitedClaimer.claim(worker, 'acme', [], 10)).toEqual(NOTHING);
  });

  it('takes of the backlog as many as there is room for, whatever else is asked for', async () => {
    const store = current();
    store.doorbell.window = 'shut';
    const worker = await store.hire();
    await addMany(8);
    const tried: number[] = [];
    const draw = (most: number, limit: number) =>
      store.limitedClaimer.claimBacklog(worker, PLACE, most, limit, (ids) => tried.push(ids.length));
    expect(await draw(2, 5)).toMatchObject({ claimed: [{}, {}], full: false });
    expect(await draw(8, 5)).toMatchObject({ claimed: [{}, {}, {}], full: true });
    expect(await draw(8, 5)).toEqual(FULL);
    expect(await draw(8, 0)).toEqual(FULL);
    expect(await draw(8, 100)).toMatchObject({ claimed: [{}, {}, {}], full: false });
    expect(await draw(8, 100)).toEqual(NOTHING);
    expect(tried).toEqual([2, 3, 3]);
  });

  it('counts what runs in every queue and lane, and nothing of other tenants', async () => {
    const store = current();
    const worker = await store.hire();
    const places = [
      { queue: 'a', priority: 5 },
      { queue: 'a', priority: -5 },
      { queue: 'b', priority: 0 },
    ];
    for (const place of places) await store.claimer.claim(worker, await addMany(1, place));
    await store.claimer.claim(worker, await addMany(4, { tenant: 'other', queue: 'a' }));
    const ids = await addMany(3, { queue: 'c' });
    expect(await store.limitedClaimer.claim(worker, 'acme', ids, 3)).toEqual(FULL);
    expect(await store.limitedClaimer.claim(worker, 'acme', ids, 4)).toMatchObject({ claimed: [{}], full: true });
  });

  it('never lets one too many run, however many workers claim at once by both ways while others end', async () => {
    const store = current();
    const limit = 5;
    const atDoor = await addMany(60);
    store.doorbell.window = 'shut';
    await addMany(60);
    const workers = await Promise.all(Array.from({ length: 6 }, () => store.hire()));
    let ended = 0;
    let most = 0;
    const work = async (worker: Buffer, number: number): Promise<void> => {
      for (let round = 0; ended < 120 && round < 2_000; round += 1) {
        const { claimed } =
          number % 2 === 0
            ? await store.limitedClaimer.claim(worker, 'acme', atDoor, limit)
            : await store.limitedClaimer.claimBacklog(worker, PLACE, 4, limit, noTrying);
        most = Math.max(most, await running(store));
        for (const task of claimed) await store.settle(worker, task, { kind: 'succeeded', result: 'null' });
        ended += claimed.length;
        // On SQLite nothing here waits for anything but the others.
        await setImmediate();
      }
    };
    await Promise.all(workers.map(work));
    expect(ended).toBe(120);
    expect(most).toBeLessThanOrEqual(limit);
    expect(await mostAtOnce(store)).toBeLessThanOrEqual(limit);
  }, 60_000);

  // SQLite has one writer: there is no such moment.
  if (backend.name !== 'sqlite') {
    it('takes nothing, and waits for nobody, while somebody else has the turn', async () => {
      const store = current();
      const worker = await store.hire();
      const ids = await addMany(2);
      store.doorbell.window = 'shut';
      await addMany(2);
      expect(await store.limitedClaimer.claim(worker, 'acme', ids, 0)).toEqual(FULL);
      await store.raw.transaction(async (transaction) => {
        await transaction.run([
          sql`SELECT tenant FROM running_turns WHERE tenant = 'acme'${store.raw.dialect.lock}`,
          sql`SELECT id FROM tasks WHERE id IN (${list(ids)}) ORDER BY id${store.raw.dialect.lock}`,
        ]);
        expect(await store.limitedClaimer.claim(worker, 'acme', ids, 2)).toEqual(BUSY);
        expect(await store.limitedClaimer.claimBacklog(worker, PLACE, 2, 2, noTrying)).toEqual(BUSY);
        const others = await addMany(1, { tenant: 'other' });
        expect(await store.limitedClaimer.claim(worker, 'other', others, 2)).toMatchObject({ claimed: [{}], busy: false });
      });
      expect(await store.limitedClaimer.claim(worker, 'acme', ids, 2)).toMatchObject({ claimed: [{}, {}], full: true, busy: false });
    });
  }

  it('counts what a lost worker held until it is taken back', async () => {
    const store = current();
    const [lost, worker] = [await store.hire(), await store.hire()];
    const ids = await addMany(3);
    expect((await store.limitedClaimer.claim(lost, 'acme', ids.slice(0, 2), 2)).claimed).toHaveLength(2);
    await store.bury(lost);
    expect(await store.limitedClaimer.claim(worker, 'acme', ids.slice(2), 2)).toEqual(FULL);
    await store.sweeper.takeBack();
    expect((await store.limitedClaimer.claim(worker, 'acme', ids, 2)).claimed).toHaveLength(2);
  });

  it.each([
    ['retry', { kind: 'retry', delayMs: 60_000, error: OOPS, timedOut: false }],
    ['released', { kind: 'released', delayMs: 0, error: null, unhandled: false }],
    ['failed', { kind: 'failed', reason: 'permanent_error', error: OOPS, timedOut: false }],
    ['snoozed', { kind: 'snoozed', delayMs: 60_000 }],
    ['cancelled', { kind: 'cancelled', error: null }],
  ] as const)('has room again after an end by: %s', async (_name, verdict) => {
    const store = current();
    const worker = await store.hire();
    const [first, second] = await addMany(2);
    const { claimed } = await store.limitedClaimer.claim(worker, 'acme', [first!], 1);
    await store.settle(worker, claimed[0]!, verdict);
    expect((await store.limitedClaimer.claim(worker, 'acme', [second!], 1)).claimed).toHaveLength(1);
  });

  it.each(['ids', 'backlog'] as const)('can be asked about after the answer to a claim by %s was lost, and counts it', async (way) => {
    const store = current();
    if (way === 'backlog') store.doorbell.window = 'shut';
    const worker = await store.hire();
    const ids = await addMany(3);
    let tried: readonly Buffer[] = ids;
    expect(await store.limitedClaimer.claim(worker, 'acme', ids, 0)).toEqual(FULL);
    store.database.loseAnswer(['transaction']);
    const claim: Promise<{ claimed: ClaimedTask[] }> =
      way === 'ids'
        ? store.limitedClaimer.claim(worker, 'acme', ids, 2)
        : store.limitedClaimer.claimBacklog(worker, PLACE, 3, 2, (taken) => (tried = taken));
    await expect(claim).rejects.toBeInstanceOf(Unavailable);
    expect(await store.claimer.held(worker, tried)).toHaveLength(2);
    expect(await store.limitedClaimer.claim(worker, 'acme', ids, 2)).toMatchObject({ full: true });
    expect(await running(store)).toBe(2);
  });
});

/** From the attempts: at how many of their beginnings so many were under way. An end comes before a beginning of the same millisecond. */
async function mostAtOnce(store: Store): Promise<number> {
  const attempts = await store.raw.query<{ started_at: number; finished_at: number }>(sql`SELECT started_at, finished_at FROM attempts`);
  const moves = attempts.flatMap(({ started_at: from, finished_at: to }) => [
    { at: Number(from), change: 1 },
    { at: Number(to), change: -1 },
  ]);
  moves.sort((a, b) => a.at - b.at || a.change - b.change);
  let now = 0;
  return moves.reduce((most, { change }) => Math.max(most, (now += change)), 0);
}
