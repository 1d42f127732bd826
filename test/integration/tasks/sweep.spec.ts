/** A worker is lost when its heartbeat stood still for a lease, by the sweeper's own clock; then its tasks go round again. */
import { expect, it } from '@jest/globals';
import { idText, LockTimeout, sql } from '@app/database';
import { Unavailable } from '@app/errors';
import { takeOver, type ClaimedTask } from '@app/tasks';
import { bytesOf, LEASE_MS, ManualClock, OOPS, POISON_CRASHES, takeAll, type Store } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';

const NOBODY = Buffer.alloc(16);
const STEP_MS = LEASE_MS / 3;

/** Looks often enough not to seem asleep, for so many ms; returns who was marked, look by look. */
async function watch(sweeper: { markLost(): Promise<string[]> }, clock: ManualClock, ms: number): Promise<string[]> {
  const lost: string[] = [];
  for (let passed = 0; passed < ms; passed += STEP_MS) {
    clock.advance(STEP_MS);
    lost.push(...(await sweeper.markLost()));
  }
  return lost;
}

const stateOf = async (store: Store, worker: Buffer): Promise<unknown> =>
  (await store.raw.query<{ state: string }>(sql`SELECT state FROM workers WHERE id = ${worker}`))[0]?.state;

onEveryStore('marking workers lost', (current) => {
  it('takes a heartbeat that stood still for one whole lease', async () => {
    const store = current();
    const [clock, worker] = [new ManualClock(), await store.hire()];
    const sweeper = store.sweeperOf(clock);
    expect(await sweeper.markLost()).toEqual([]);
    expect(await watch(sweeper, clock, LEASE_MS - STEP_MS)).toEqual([]);
    expect(await stateOf(store, worker)).toBe('live');
    expect(await watch(sweeper, clock, STEP_MS)).toEqual([idText(worker)]);
    expect(await stateOf(store, worker)).toBe('lost');
    expect(await watch(sweeper, clock, LEASE_MS)).toEqual([]);
  });

  it('starts over at every beat', async () => {
    const store = current();
    const [clock, worker] = [new ManualClock(), await store.hire()];
    const sweeper = store.sweeperOf(clock);
    await sweeper.markLost();
    for (let beat = 0; beat < 4; beat += 1) {
      expect(await watch(sweeper, clock, LEASE_MS - STEP_MS)).toEqual([]);
      expect(await store.raw.execute(store.workers.beat(worker))).toBe(1);
    }
    expect(await stateOf(store, worker)).toBe('live');
    expect(await watch(sweeper, clock, LEASE_MS + STEP_MS)).toEqual([idText(worker)]);
    expect(await store.raw.execute(store.workers.beat(worker))).toBe(0);
  });

  it('does not hold its own sleep against the workers', async () => {
    const store = current();
    const [clock, worker] = [new ManualClock(), await store.hire()];
    const sweeper = store.sweeperOf(clock);
    await sweeper.markLost();
    clock.advance(100 * LEASE_MS);
    expect(await sweeper.markLost()).toEqual([]);
    expect(await watch(sweeper, clock, LEASE_MS - STEP_MS)).toEqual([]);
    expect(await watch(sweeper, clock, STEP_MS)).toEqual([idText(worker)]);
  });

  it.each([
    ['looks', ['query'] as const],
    ['writes', ['execute'] as const],
  ])('holds no time against the workers in which its %s were refused, because their beats were as well', async (_what, refused) => {
    const store = current();
    const [clock, worker] = [new ManualClock(), await store.hire()];
    const sweeper = store.sweeperOf(clock);
    await sweeper.markLost();
    await watch(sweeper, clock, LEASE_MS - STEP_MS);
    clock.advance(STEP_MS);
    store.database.interrupt(refused, () => Promise.reject(new Unavailable('away')));
    await expect(sweeper.markLost()).rejects.toThrow('away');
    store.database.reset();
    expect(await watch(sweeper, clock, LEASE_MS)).toEqual([]);
    expect(await watch(sweeper, clock, STEP_MS)).toEqual([idText(worker)]);
  });

  it('marks the others where the mark of one is refused, and that one with the next look', async () => {
    const store = current();
    const clock = new ManualClock();
    const workers = [await store.hire(), await store.hire(), await store.hire()].map(idText);
    const sweeper = store.sweeperOf(clock);
    await sweeper.markLost();
    await watch(sweeper, clock, LEASE_MS - STEP_MS);
    clock.advance(STEP_MS);
    // First it tries to write.
    store.database.interrupt(['execute'], () => Promise.resolve());
    store.database.interrupt(['execute'], () => Promise.reject(new LockTimeout(new Error('held'))));
    const marked = await sweeper.markLost();
    expect(marked).toHaveLength(2);
    expect([...marked, ...(await watch(sweeper, clock, STEP_MS))].sort()).toEqual(workers.sort());
  });

  it('sees a lease end that is shorter than the time between its looks', async () => {
    const store = current();
    const [clock, worker] = [new ManualClock(), await store.hire({ leaseMs: 3_000 })];
    const sweeper = store.sweeperOf(clock);
    await sweeper.markLost();
    expect(await watch(sweeper, clock, STEP_MS)).toEqual([idText(worker)]);
  });

  it('measures each worker by its own lease', async () => {
    const store = current();
    const clock = new ManualClock();
    const [short, long] = [await store.hire(), await store.hire({ leaseMs: 4 * LEASE_MS })];
    const sweeper = store.sweeperOf(clock);
    await sweeper.markLost();
    expect(await watch(sweeper, clock, LEASE_MS)).toEqual([idText(short)]);
    expect(await watch(sweeper, clock, 2 * LEASE_MS)).toEqual([]);
    expect(await watch(sweeper, clock, LEASE_MS)).toEqual([idText(long)]);
  });

  it('marks each worker once, however many sweepers watch', async () => {
    const store = current();
    const clock = new ManualClock();
    const workers = await Promise.all(Array.from({ length: 5 }, () => store.hire()));
    const sweepers = [store.sweeperOf(clock), store.sweeperOf(clock), store.sweeperOf(clock)];
    for (let look = 0; look < 3; look += 1) {
      await Promise.all(sweepers.map((sweeper) => sweeper.markLost()));
      clock.advance(STEP_MS);
    }
    const marked = (await Promise.all(sweepers.map((sweeper) => sweeper.markLost()))).flat();
    expect(marked.sort()).toEqual(workers.map(idText).sort());
  });

  it('yields to a beat that comes between the look and the mark', async () => {
    const store = current();
    const [clock, worker] = [new ManualClock(), await store.hire()];
    const sweeper = store.sweeperOf(clock);
    await sweeper.markLost();
    await watch(sweeper, clock, LEASE_MS - STEP_MS);
    store.database.interrupt(['execute'], () => store.raw.execute(store.workers.beat(worker)));
    expect(await watch(sweeper, clock, STEP_MS)).toEqual([]);
    expect(await stateOf(store, worker)).toBe('live');
  });

  it('watches a draining worker too, and no stopped one', async () => {
    const store = current();
    const clock = new ManualClock();
    const [draining, stopped] = [await store.hire(), await store.hire()];
    await store.workers.drain(draining);
    await store.workers.stop(stopped);
    const sweeper = store.sweeperOf(clock);
    await sweeper.markLost();
    expect(await watch(sweeper, clock, 2 * LEASE_MS)).toEqual([idText(draining)]);
    expect(await stateOf(store, stopped)).toBe('stopped');
  });
});

onEveryStore('taking tasks back', (current) => {
  it('puts the task of a lost worker into the queue, counts a crash and records the attempt as lost', async () => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add();
    const claimed = await store.claim(worker, id);
    await store.bury(worker);
    const before = await store.row(id);
    await store.doorbell.forget();
    expect(await store.sweeper.takeBack()).toEqual({ taken: 1, full: false });
    const after = await store.row(id);
    const updatedAt = after['updated_at'];
    expect(after).toEqual({
      ...before,
      ...{ state: 'queued', phase: 'unrung', crashes: 1, worker_id: NOBODY },
      ...{ rung_at: 0, run_at: updatedAt, updated_at: updatedAt },
    });
    expect(await store.attempts(id)).toEqual([
      { attempt: 1, outcome: 'lost', worker_id: worker, error_code: 'worker-lost', error_message: expect.any(String), result: null },
    ]);
    expect(store.doorbell.rung).toEqual([bytesOf(id).toString('hex')]);
    expect(await store.settle(worker, claimed, { kind: 'succeeded', result: '1' })).toBe('fenced');
    expect(await store.sweeper.takeBack()).toEqual({ taken: 0, full: false });
  });

  it.each([
    ['stopped', 0],
    ['unknown', 1],
  ])('takes the tasks of a worker that is %s, and counts %d crashes', async (state, crashes) => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add();
    await store.claim(worker, id);
    if (state === 'stopped') await store.workers.stop(worker);
    else await store.raw.execute(sql`DELETE FROM workers WHERE id = ${worker}`);
    expect(await store.sweeper.takeBack()).toMatchObject({ taken: 1 });
    expect(await store.row(id)).toMatchObject({ state: 'queued', crashes });
  });

  it('leaves alone what a worker claimed that registered while the look was under way', async () => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add();
    await store.claim(worker, id);
    await store.raw.execute(sql`UPDATE workers SET state = 'lost' WHERE id = ${worker}`);
    store.database.interrupt(['transaction'], () => store.raw.execute(sql`UPDATE workers SET state = 'live' WHERE id = ${worker}`));
    expect(await store.sweeper.takeBack()).toEqual({ taken: 0, full: false });
    expect(await store.row(id)).toMatchObject({ state: 'running', crashes: 0 });
  });

  it('takes a crash back, once, from the tasks of a worker that was only cut off', async () => {
    const store = current();
    const worker = await store.hire();
    const [swept, later] = await store.addMany(2);
    const ids = [swept?.id ?? '', later?.id ?? ''];
    await store.claim(worker, ids[0] ?? '');
    await store.bury(worker);
    await store.sweeper.takeBack();
    expect(await store.row(ids[0] ?? '')).toMatchObject({ crashes: 1 });
    await store.raw.execute(sql`UPDATE tasks SET crashes = 2 WHERE id = ${bytesOf(ids[0] ?? '')}`);
    await store.workers.survive(worker, ids.map(bytesOf));
    await store.workers.survive(worker, ids.map(bytesOf));
    expect(await store.row(ids[0] ?? '')).toMatchObject({ crashes: 1 });
    expect(await store.row(ids[1] ?? '')).toMatchObject({ crashes: 0 });
    expect(await stateOf(store, worker)).toBe('stopped');
  });

  it('leaves the tasks of live and draining workers alone, also when a new worker starts', async () => {
    const store = current();
    const [live, draining, lost] = [await store.hire(), await store.hire(), await store.hire()];
    const added = await store.addMany(30);
    const owners = [live, draining, lost];
    for (const [index, { id }] of added.entries()) await store.claim(owners[index % 3]!, id);
    await store.workers.drain(draining);
    const before = await Promise.all(added.map(({ id }) => store.row(id)));
    await store.hire();
    expect(await store.sweeper.markLost()).toEqual([]);
    expect(await store.sweeper.takeBack()).toMatchObject({ taken: 0 });
    expect(await Promise.all(added.map(({ id }) => store.row(id)))).toEqual(before);
    await store.bury(lost);
    expect(await store.sweeper.takeBack()).toMatchObject({ taken: 10 });
    const after = await Promise.all(added.map(({ id }) => store.row(id)));
    expect(after.filter((_, index) => index % 3 !== 2)).toEqual(before.filter((_, index) => index % 3 !== 2));
  });

  it('ends a task as poison that kills its worker by itself once too often, and counts nothing against those who waited', async () => {
    const store = current();
    const poison = await store.add();
    for (let crash = 1; crash <= POISON_CRASHES; crash += 1) {
      const worker = await store.hire();
      await store.claim(worker, poison.id);
      const neighbour = await store.add();
      await store.claim(worker, neighbour.id);
      const alone = crash === POISON_CRASHES;
      if (alone) expect(await store.workers.setSolo(worker, bytesOf(poison.id))).toBe(true);
      await store.bury(worker);
      await store.sweeper.takeBack();
      expect(await store.row(poison.id)).toMatchObject({ crashes: crash, failures: 0, state: alone ? 'failed' : 'queued' });
      expect(await store.row(neighbour.id)).toMatchObject({ state: 'queued', crashes: alone ? 0 : 1 });
    }
    expect(await store.reader.get('acme', poison.id)).toMatchObject({
      state: 'failed',
      reason: 'poison',
      attempt: POISON_CRASHES,
      lastError: { code: 'worker-lost' },
    });
    const worker = await store.hire();
    expect(await store.claimer.claim(worker, [bytesOf(poison.id)])).toEqual([]);
  });

  it('takes twice as many crashes in company for the same proof', async () => {
    const store = current();
    const { id } = await store.add();
    for (let crash = 1; crash <= 2 * POISON_CRASHES; crash += 1) {
      const worker = await store.hire();
      await store.claim(worker, id);
      await store.bury(worker);
      await store.sweeper.takeBack();
      expect(await store.row(id)).toMatchObject({ crashes: crash, state: crash === 2 * POISON_CRASHES ? 'failed' : 'queued' });
    }
  });

  it('does not count a failure as a crash, nor a crash as a failure', async () => {
    const store = current();
    const { id } = await store.add();
    const worker = await store.hire();
    await store.settle(worker, await store.claim(worker, id), { kind: 'retry', delayMs: 0, error: OOPS, timedOut: false });
    await store.promoter.promote();
    await store.claim(worker, id);
    await store.bury(worker);
    await store.sweeper.takeBack();
    expect(await store.row(id)).toMatchObject({ state: 'queued', failures: 1, crashes: 1, attempt: 2 });
  });

  it('counts no crash against a task that was asked to stop, either, where its worker said goodbye', async () => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add();
    await store.claim(worker, id);
    await store.canceller.cancel('acme', id, 'someone');
    await store.workers.stop(worker);
    await store.sweeper.takeBack();
    expect(await store.row(id)).toMatchObject({ state: 'cancelled', crashes: 0 });
  });

  it('ends a task that was asked to stop as cancelled', async () => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add();
    const other = await store.add();
    await store.claim(worker, id);
    await store.claim(worker, other.id);
    await store.canceller.cancel('acme', id, 'someone');
    await store.bury(worker);
    await store.sweeper.takeBack();
    const after = await store.row(id);
    expect(after).toMatchObject({
      state: 'cancelled',
      phase: 'cancelled',
      ended: 'cancelled',
      crashes: 1,
      finished_at: after['updated_at'],
    });
    expect(await store.attempts(id)).toMatchObject([{ outcome: 'lost' }]);
    expect(await store.count(sql`cancel_requests`)).toBe(0);
    expect(await store.row(other.id)).toMatchObject({ state: 'queued' });
  });

  it('takes each of many once, page by page, whoever comes', async () => {
    const store = current();
    const worker = await store.hire();
    const added = await store.addMany(450);
    await store.claimer.claim(
      worker,
      added.map(({ id }) => bytesOf(id)),
    );
    await store.bury(worker);
    expect(await store.sweeper.takeBack()).toEqual({ taken: 200, full: true });
    const sweepers = [store.sweeperOf(), store.sweeperOf()];
    const taken = await Promise.all(sweepers.map((sweeper) => takeAll(() => sweeper.takeBack())));
    expect(taken[0]! + taken[1]!).toBe(250);
    expect(await store.count(sql`tasks WHERE state = 'queued' AND crashes = 1`)).toBe(450);
    expect(await store.count(sql`attempts WHERE outcome = 'lost'`)).toBe(450);
  });

  it('and an outcome at the same moment leave one attempt row, by whoever was first', async () => {
    const store = current();
    const worker = await store.hire();
    const added = await store.addMany(40);
    const claimed = await store.claimer.claim(
      worker,
      added.map(({ id }) => bytesOf(id)),
    );
    await store.bury(worker);
    const settle = (task: ClaimedTask): Promise<string> => store.settle(worker, task, { kind: 'succeeded', result: '1' });
    const [results] = await Promise.all([Promise.all(claimed.map(settle)), store.sweeper.takeBack(), store.sweeperOf().takeBack()]);
    await store.sweeper.takeBack();
    for (const [index, task] of claimed.entries()) {
      const { state } = await store.row(task.id);
      expect(state).toBe(results[index] === 'settled' ? 'succeeded' : 'queued');
      expect(await store.attempts(task.id)).toHaveLength(1);
    }
  });
});

onEveryStore('taking over an embedded file', (current) => {
  it('takes back everything that ran, and puts everything queued where workers look', async () => {
    const store = current();
    const [live, draining, stopped] = [await store.hire(), await store.hire(), await store.hire()];
    const added = await store.addMany(205);
    await store.claimer.claim(
      live,
      added.slice(0, 203).map(({ id }) => bytesOf(id)),
    );
    await store.workers.drain(draining);
    await store.workers.stop(stopped);
    const scheduled = await store.add({ delayMs: 60_000 });
    const waiting = await store.row(scheduled.id);
    expect(await takeOver(store.database, store.workers, store.sweeper)).toBe(203);
    expect(await store.count(sql`tasks WHERE state = 'queued' AND phase = 'unrung' AND rung_at = 0`)).toBe(205);
    expect(await store.row(scheduled.id)).toEqual(waiting);
    expect((await store.workers.list()).map(({ state }) => state).sort()).toEqual(['lost', 'lost', 'stopped']);
    expect(await takeOver(store.database, store.workers, store.sweeper)).toBe(0);
  });
});
