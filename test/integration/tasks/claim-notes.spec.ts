/** Claims of many tasks from the backlog leave them where they are, with a note: whoever must find what runs still finds it. */
import { expect, it } from '@jest/globals';
import { list, sql } from '@app/database';
import { Unavailable } from '@app/errors';
import { takeOver, type ClaimedTask, type NewTask } from '@app/tasks';
import { bytesOf, OOPS, type Store } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';

const PLACE = { queue: 'default', lane: 'normal', tenant: 'acme' } as const;
/** The least that leaves a note. */
const MANY = 16;
const noTrying = (): void => undefined;

onEveryStore('notes of claims', (current, backend) => {
  const fill = async (count: number, options: Partial<NewTask> = {}): Promise<string[]> => {
    const store = current();
    store.doorbell.window = 'shut';
    const added = await store.addMany(count, options);
    await store.nameQueues();
    return added.map(({ id }) => id).sort();
  };
  const draw = (worker: Buffer, most = MANY, after: Buffer | null = null): Promise<ClaimedTask[]> =>
    current().claimer.claimBacklog(worker, PLACE, most, noTrying, [], after);
  const finish = async (worker: Buffer, tasks: readonly ClaimedTask[]): Promise<void> => {
    await Promise.all(tasks.map((task) => current().settle(worker, task, { kind: 'succeeded', result: '1' })));
  };
  const notes = (store: Store): Promise<number> => store.count(sql`claim_notes`);
  const running = (store: Store, phase: string): Promise<number> => store.count(sql`tasks WHERE state = 'running' AND phase = ${phase}`);
  const age = (store: Store): Promise<number> => store.raw.execute(sql`UPDATE claim_notes SET claimed_at = claimed_at - 60000`);

  it('are left by claims of many, whose tasks change their phase once', async () => {
    const store = current();
    const worker = await store.hire();
    const ids = await fill(MANY + 2);
    const claimed = await draw(worker);
    expect(claimed.map(({ id }) => id)).toEqual(ids.slice(0, MANY));
    expect(await running(store, 'unrung')).toBe(MANY);
    expect(await store.raw.query(sql`SELECT * FROM claim_notes`)).toEqual([
      {
        ...{
          first_id: bytesOf(ids[0]!),
          attempt: 1,
          last_id: bytesOf(ids[MANY - 1]!),
          worker_id: worker,
          claimed_at: claimed[0]!.startedAt,
        },
        ...{ tenant: 'acme', queue: 'default', lane: 1 },
      },
    ]);
    await finish(worker, claimed);
    expect(await store.count(sql`tasks WHERE phase = 'succeeded' AND state = 'succeeded'`)).toBe(MANY);
  });

  it('are not left by claims of few', async () => {
    const store = current();
    await fill(MANY - 1);
    await draw(await store.hire());
    expect([await running(store, 'live'), await notes(store)]).toEqual([MANY - 1, 0]);
  });

  it('are cleared after a moment: what still runs becomes live, and a note without any goes', async () => {
    const store = current();
    const worker = await store.hire();
    await fill(2 * MANY);
    const [first, second] = [await draw(worker), await draw(worker)];
    expect(await store.notes.clear()).toEqual({ cleared: 0, full: false });
    expect([await notes(store), await running(store, 'unrung')]).toEqual([2, 2 * MANY]);
    await finish(worker, [...first, ...second.slice(3)]);
    expect(await store.notes.clear()).toEqual({ cleared: 0, full: false });
    await age(store);
    expect(await store.notes.clear()).toEqual({ cleared: 1, full: false });
    expect([await running(store, 'live'), await running(store, 'unrung')]).toEqual([3, 0]);
    expect(await store.notes.clear()).toEqual({ cleared: 1, full: false });
    expect((await store.claimer.running(worker)).map(({ id }) => id)).toEqual(second.slice(0, 3).map(({ id }) => id));
    await finish(worker, second.slice(0, 3));
    expect(await notes(store)).toBe(0);
  });

  it('leave alone what waits between the ids of a claim', async () => {
    const store = current();
    const worker = await store.hire();
    const ids = await fill(MANY + 1);
    const [skipped] = ids.splice(4, 1);
    await store.claimer.claimBacklog(worker, PLACE, MANY, noTrying, [bytesOf(skipped!)]);
    await age(store);
    await store.notes.clear();
    expect(await store.row(skipped!)).toMatchObject({ state: 'queued', phase: 'unrung' });
    expect([await running(store, 'live'), await store.notes.clear()]).toEqual([MANY, { cleared: 1, full: false }]);
  });

  it('are each known by the attempt of their first task, however often it comes back', async () => {
    const store = current();
    const worker = await store.hire();
    const ids = await fill(2 * MANY);
    const [first] = await draw(worker);
    await store.settle(worker, first!, { kind: 'released', delayMs: 0, error: null, unhandled: false });
    const again = await draw(worker);
    expect(again.map(({ id, attempt }) => [id, attempt])).toEqual([[ids[0], 2], ...ids.slice(MANY, 2 * MANY - 1).map((id) => [id, 1])]);
    expect(await notes(store)).toBe(2);
    await store.settle(worker, again[0]!, { kind: 'failed', reason: 'permanent_error', error: OOPS, timedOut: false });
    await age(store);
    await store.notes.clear();
    expect([await running(store, 'live'), await store.notes.clear()]).toEqual([2 * MANY - 2, { cleared: 2, full: false }]);
  });

  it('are cleared page by page, past those that stay', async () => {
    const store = current();
    const worker = await store.hire();
    await fill(MANY);
    await draw(worker);
    const [note] = await store.raw.query<{ first_id: Buffer; last_id: Buffer }>(sql`SELECT first_id, last_id FROM claim_notes`);
    for (let attempt = 2; attempt <= 120; attempt += 1) {
      await store.raw.execute(
        sql`INSERT INTO claim_notes (first_id, attempt, claimed_at, last_id, tenant, queue, lane, worker_id) VALUES (${note!.first_id}, ${attempt}, 1, ${note!.last_id}, 'acme', 'default', 1, ${worker})`,
      );
    }
    await age(store);
    // The first page finds what runs, and stays for the next look; the others find nothing any more.
    expect(await store.notes.clear()).toEqual({ cleared: 70, full: false });
    expect(await store.notes.clear()).toEqual({ cleared: 50, full: false });
  });

  it('do not wait for a moment where the worker is gone, and its tasks are taken back', async () => {
    const store = current();
    const [gone, here] = [await store.hire(), await store.hire()];
    await fill(2 * MANY);
    const lost = await draw(gone);
    await draw(here);
    await store.bury(gone);
    expect(await store.sweeper.takeBack()).toEqual({ taken: MANY, full: false });
    expect([await running(store, 'unrung'), await running(store, 'live')]).toEqual([MANY, 0]);
    expect(await store.count(sql`tasks WHERE id IN (${list(lost.map(({ bytes }) => bytes))}) AND state = 'queued' AND crashes = 1`)).toBe(
      MANY,
    );
    expect(await store.settle(gone, lost[0]!, { kind: 'succeeded', result: '1' })).toBe('fenced');
    expect((await draw(here)).map(({ attempt }) => attempt)).toEqual(lost.map(() => 2));
  });

  it('are found by whoever takes an embedded file over', async () => {
    const store = current();
    await fill(MANY);
    await draw(await store.hire());
    expect(await takeOver(store.raw, store.workers, store.sweeper)).toBe(MANY);
  });

  it('let the next claim, and the look for places, pass over what runs', async () => {
    const store = current();
    const worker = await store.hire();
    const ids = await fill(MANY + 3);
    await draw(worker);
    expect(await store.claimer.backlog(null, 10)).toEqual([PLACE]);
    expect((await draw(worker, 10)).map(({ id }) => id)).toEqual(ids.slice(MANY));
    expect(await store.claimer.backlog(null, 10)).toEqual([]);
    expect(await draw(worker, 10)).toEqual([]);
    expect((await store.queues.list('acme'))[0]).toMatchObject({ depth: { queued: 0, running: MANY + 3 }, oldestQueuedAgeMs: null });
  });

  it('count towards a limit that comes later', async () => {
    const store = current();
    const worker = await store.hire();
    await fill(MANY + 6);
    const noted = await draw(worker);
    await draw(worker, 2);
    const within = (limit: number) => store.limitedClaimer.claimBacklog(worker, PLACE, 10, limit, noTrying);
    expect(await within(MANY + 2)).toEqual({ claimed: [], full: true, busy: false });
    expect(await within(MANY + 3)).toMatchObject({ claimed: [{}], full: true });
    await finish(worker, noted.slice(1));
    await age(store);
    await store.notes.clear();
    expect(await within(4)).toEqual({ claimed: [], full: true, busy: false });
    expect(await within(5)).toMatchObject({ claimed: [{}], full: true });
  });

  it('in too many places to count let a limited tenant wait until they are cleared', async () => {
    const store = current();
    const worker = await store.hire();
    await fill(1);
    const [first, last] = [Buffer.alloc(16, 1), Buffer.alloc(16, 2)];
    const noteIn = (queue: string): Promise<number> =>
      store.raw.execute(
        sql`INSERT INTO claim_notes (first_id, attempt, claimed_at, last_id, tenant, queue, lane, worker_id) VALUES (${first}, ${1}, ${Number(queue)}, ${last}, 'acme', ${queue}, 1, ${worker})`,
      );
    for (let queue = 1; queue < 400; queue += 1) await noteIn(String(queue));
    const claim = () => store.limitedClaimer.claimBacklog(worker, PLACE, 1, 1, noTrying);
    const [one] = (await claim()).claimed;
    await store.settle(worker, one!, { kind: 'retry', delayMs: 0, error: OOPS, timedOut: false });
    await noteIn('400');
    expect(await claim()).toEqual({ claimed: [], full: false, busy: true });
    await store.notes.clear();
    expect(await claim()).toEqual({ claimed: [], full: false, busy: false });
  });

  it('are judged each by its own tasks, in whatever place others run', async () => {
    const store = current();
    const worker = await store.hire();
    await fill(MANY);
    await fill(MANY, { tenant: 'other' });
    const mine = await draw(worker);
    await store.claimer.claimBacklog(worker, { ...PLACE, tenant: 'other' }, MANY, noTrying);
    await finish(worker, mine);
    await store.raw.execute(sql`UPDATE claim_notes SET first_id = ${Buffer.alloc(16, 1)}, last_id = ${Buffer.alloc(16, 255)}`);
    await age(store);
    expect(await store.notes.clear()).toEqual({ cleared: 1, full: false });
    expect(await running(store, 'live')).toBe(MANY);
  });

  it('of the future are cleared at once, because the clock was put back', async () => {
    const store = current();
    await fill(MANY);
    await draw(await store.hire());
    await store.raw.execute(sql`UPDATE claim_notes SET claimed_at = claimed_at + 3600000`);
    await store.notes.clear();
    expect([await running(store, 'live'), await store.notes.clear()]).toEqual([MANY, { cleared: 1, full: false }]);
  });

  it('that cannot be cleared keep neither the others, nor what is live already, from going on', async () => {
    const store = current();
    const [gone, here] = [await store.hire(), await store.hire()];
    await fill(MANY + 1);
    await fill(MANY, { queue: 'broken' });
    await draw(gone, 1);
    await draw(gone);
    await store.claimer.claimBacklog(here, { ...PLACE, queue: 'broken' }, MANY, noTrying);
    await age(store);
    await store.bury(gone);
    // A page of both, and then the note that is broken by itself.
    store.database.failWhere((statement) => statement.values.includes('broken'), 2);
    await expect(store.sweeper.takeBack()).rejects.toBeInstanceOf(Unavailable);
    expect(await store.count(sql`tasks WHERE state = 'queued' AND crashes = 1`)).toBe(MANY + 1);
    expect(await running(store, 'unrung')).toBe(MANY);
  });

  // SQLite has one writer: there is no such moment.
  if (backend.name !== 'sqlite') {
    it('are no reason for a claim to lock what it passes over', async () => {
      const store = current();
      const [worker, other] = [await store.hire(), await store.hire()];
      await fill(MANY + 4);
      await draw(worker);
      let free = 0;
      store.database.interruptInside(
        async () => {
          const found = await store.raw.query(sql`SELECT id FROM tasks WHERE state = 'running' FOR UPDATE SKIP LOCKED`);
          free = found.length;
        },
        1,
        'run',
      );
      expect(await draw(other, 4)).toHaveLength(4);
      expect(free).toBe(MANY);
    });

    it('pass over a row that somebody holds, and find it again', async () => {
      const store = current();
      const worker = await store.hire();
      const ids = await fill(MANY);
      await draw(worker);
      await age(store);
      await store.raw.transaction(async (transaction) => {
        await transaction.query(sql`SELECT id FROM tasks WHERE id = ${bytesOf(ids[MANY - 1]!)} FOR UPDATE`);
        expect(await store.notes.clear()).toEqual({ cleared: 0, full: false });
        expect(await store.notes.clear()).toEqual({ cleared: 0, full: false });
        expect([await running(store, 'live'), await running(store, 'unrung')]).toEqual([MANY - 1, 1]);
      });
      await store.notes.clear();
      expect([await running(store, 'unrung'), await store.notes.clear()]).toEqual([0, { cleared: 1, full: false }]);
    });
  }
});
