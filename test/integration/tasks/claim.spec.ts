/** A claim: one owner at a time, only of what may run, and never forgotten. */
import { expect, it } from '@jest/globals';
import { sql } from '@app/database';
import { Unavailable } from '@app/errors';
import type { ClaimedTask } from '@app/tasks';
import { bytesOf, OOPS, takeAll } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';
import { until } from '../../support/until.js';

const PLACE = { queue: 'default', lane: 'normal', tenant: 'acme' } as const;
const ids = (tasks: readonly { id: string }[]): string[] => tasks.map(({ id }) => id).sort();
const noTrying = (): void => undefined;

onEveryStore('claiming', (current) => {
  it('takes a task whose options or payload somebody has spoilt by hand, and its neighbours, and lists all of them', async () => {
    const store = current();
    const worker = await store.hire();
    const [spoilt, odd, sound] = await store.addMany(3);
    await store.raw.execute(sql`UPDATE tasks SET options = ${'{not'} WHERE id = ${bytesOf(spoilt!.id)}`);
    await store.raw.execute(sql`UPDATE tasks SET payload = ${'{not'}, payload_bytes = 0 WHERE id = ${bytesOf(odd!.id)}`);
    await store.recount();
    const claimed = await store.claimer.claim(
      worker,
      [spoilt!, odd!, sound!].map(({ id }) => bytesOf(id)),
    );
    expect(ids(claimed)).toEqual(ids([spoilt!, odd!, sound!]));
    expect(claimed.find(({ id }) => id === spoilt!.id)).toMatchObject({ retry: null });
    const { items } = await store.reader.list('acme', {}, { limit: 10, cursor: null });
    const payloads = new Map(items.map(({ id, payload }) => [id, payload]));
    expect([spoilt!, odd!, sound!].map(({ id }) => payloads.get(id))).toEqual([sound!.payload, null, sound!.payload]);
  });

  it('hands over all that is needed to run the task, and makes it the worker’s', async () => {
    const store = current();
    const worker = await store.hire();
    const retry = { backoff: 'linear', baseMs: 7 } as const;
    const added = await store.add({ priority: 3, payload: '{"x":"ü"}', maxAttempts: 9, timeoutMs: 1_234, deadlineMs: 60_000, retry });
    const before = await store.row(added.id);
    const claimed = await store.claim(worker, added.id);
    expect(claimed).toEqual({
      id: added.id,
      bytes: bytesOf(added.id),
      tenant: 'acme',
      queue: 'default',
      lane: 'high',
      name: 'echo',
      attempt: 1,
      failures: 0,
      crashes: 0,
      snoozes: 0,
      fallbacks: 0,
      maxAttempts: 9,
      timeoutMs: 1_234,
      retry,
      payload: '{"x":"ü"}',
      startedAt: claimed.startedAt,
      deadlineAt: added.deadlineAt,
      createdAt: added.createdAt,
    });
    expect(claimed.startedAt).toBeGreaterThanOrEqual(added.createdAt);
    expect(await store.row(added.id)).toEqual({
      ...before,
      state: 'running',
      phase: 'live',
      worker_id: worker,
      attempt: 1,
      started_at: claimed.startedAt,
      updated_at: claimed.startedAt,
    });
    expect(await store.attempts(added.id)).toEqual([]);
  });

  it('takes of many ids what is queued, and nothing else', async () => {
    const store = current();
    const worker = await store.hire();
    const other = await store.hire();
    const queued = await store.addMany(2);
    const scheduled = await store.add({ delayMs: 60_000 });
    const running = await store.add();
    await store.claim(other, running.id);
    const retrying = await store.finish(other, { kind: 'retry', delayMs: 60_000, error: OOPS, timedOut: false });
    const succeeded = await store.finish(other, { kind: 'succeeded', result: 'null' });
    const cancelled = await store.add();
    await store.canceller.cancel('acme', cancelled.id, 'someone');
    const all = [...queued, scheduled, running, retrying, succeeded, cancelled].map(({ id }) => bytesOf(id));
    const claimed = await store.claimer.claim(worker, [...all, Buffer.alloc(16, 9)]);
    expect(ids(claimed)).toEqual(ids(queued));
    expect(await store.row(running.id)).toMatchObject({ worker_id: other, attempt: 1 });
  });

  it('claims nothing of nothing', async () => {
    const store = current();
    expect(await store.claimer.claim(await store.hire(), [])).toEqual([]);
    expect(await store.claimer.held(await store.hire(), [])).toEqual([]);
  });

  it.each([
    ['expired', 'expire', { expiresAt: Date.now() + 600_000 }],
    ['past its deadline', 'deadline', { deadlineMs: 60_000 }],
  ] as const)('refuses a task that is %s, by either way', async (_what, kind, options) => {
    const store = current();
    const worker = await store.hire();
    store.doorbell.window = 'shut';
    const { id } = await store.add(options);
    const { id: other } = await store.add(options);
    await store.makeDue(id, kind);
    expect(await store.claimer.claimBacklog(worker, PLACE, 10, noTrying)).toMatchObject([{ id: other }]);
    expect(await store.claimer.claim(worker, [bytesOf(id)])).toEqual([]);
    expect(await store.row(id)).toMatchObject({ state: 'queued', attempt: 0 });
  });

  it('gives no task to two workers that ask for the same ids at once', async () => {
    const store = current();
    const added = await store.addMany(60);
    const wanted = added.map(({ id }) => bytesOf(id));
    const workers = await Promise.all(Array.from({ length: 6 }, () => store.hire()));
    const orders = workers.map((_, index) => [...wanted.slice(index * 10), ...wanted.slice(0, index * 10)]);
    const claims = await Promise.all(workers.map((worker, index) => store.claimer.claim(worker, orders[index]!)));
    expect(ids(claims.flat())).toEqual(ids(added));
    for (const [index, worker] of workers.entries()) {
      for (const { id, attempt } of claims[index]!) {
        expect(attempt).toBe(1);
        expect(await store.row(id)).toMatchObject({ worker_id: worker });
      }
    }
  });

  it('numbers every claim of a task anew', async () => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add();
    for (const attempt of [1, 2, 3, 4]) {
      const claimed = await store.claim(worker, id);
      expect(claimed.attempt).toBe(attempt);
      await store.settle(worker, claimed, { kind: 'released', delayMs: 0, error: null, unhandled: false });
    }
  });

  it('can be asked about after its answer was lost, by the worker that made it and by no other', async () => {
    const store = current();
    const worker = await store.hire();
    const other = await store.hire();
    const added = await store.addMany(3);
    const wanted = added.map(({ id }) => bytesOf(id));
    store.database.loseAnswer();
    await expect(store.claimer.claim(worker, wanted.slice(0, 2))).rejects.toBeInstanceOf(Unavailable);
    const held = await store.claimer.held(worker, wanted);
    expect(ids(held)).toEqual(ids(added.slice(0, 2)));
    expect(held).toMatchObject([{ attempt: 1, payload: '{"n":1}' }, { attempt: 1 }]);
    expect(await store.claimer.held(other, wanted)).toEqual([]);
    expect(await store.claimer.claim(worker, wanted.slice(0, 2))).toHaveLength(2);
    expect(await store.row(added[0]!.id)).toMatchObject({ attempt: 1 });
  });
});

onEveryStore('claiming from the backlog', (current, backend) => {
  it('sees only what has no message, and where it waits, in order', async () => {
    const store = current();
    store.doorbell.window = 'shut';
    for (const [queue, priority, tenant] of [
      ['b', 0, 'acme'],
      ['a', 5, 'other'],
      ['a', 5, 'acme'],
      ['a', -5, 'acme'],
      ['a', 5, 'acme'],
    ] as const)
      await store.add({ queue, priority, tenant });
    store.doorbell.window = 'open';
    await store.add({ queue: 'c' });
    const places = [
      { queue: 'a', lane: 'high', tenant: 'acme' },
      { queue: 'a', lane: 'high', tenant: 'other' },
      { queue: 'a', lane: 'low', tenant: 'acme' },
      { queue: 'b', lane: 'normal', tenant: 'acme' },
    ];
    expect(await store.claimer.backlog(null, 100)).toEqual(places);
    expect(await store.claimer.backlog(['b', 'c'], 100)).toEqual(places.slice(3));
    expect(await store.claimer.backlog(null, 2)).toHaveLength(2);
  });

  it('takes the oldest first, as many as asked for, and says what it tries', async () => {
    const store = current();
    store.doorbell.window = 'shut';
    const worker = await store.hire();
    const added = await store.addMany(10);
    const tried: string[][] = [];
    const claimed: ClaimedTask[][] = [];
    for (const most of [3, 4, 10, 10])
      claimed.push(await store.claimer.claimBacklog(worker, PLACE, most, (taken) => tried.push(taken.map((id) => id.toString('hex')))));
    const order = added.map(({ id }) => id).sort();
    expect(claimed.map(ids)).toEqual([order.slice(0, 3), order.slice(3, 7), order.slice(7), []]);
    expect(tried.map((taken) => taken.sort())).toEqual(
      [order.slice(0, 3), order.slice(3, 7), order.slice(7)].map((part) => part.map((id) => id.replaceAll('-', ''))),
    );
    expect(await store.row(order[0]!)).toMatchObject({ state: 'running', phase: 'live', worker_id: worker, attempt: 1 });
  });

  it('begins behind an id where one is given', async () => {
    const store = current();
    store.doorbell.window = 'shut';
    const worker = await store.hire();
    const order = (await store.addMany(5)).map(({ id }) => id).sort();
    expect(ids(await store.claimer.claimBacklog(worker, PLACE, 2, noTrying, [], bytesOf(order[1]!)))).toEqual(order.slice(2, 4));
    expect(ids(await store.claimer.claimBacklog(worker, PLACE, 5, noTrying, [], bytesOf(order[4]!)))).toEqual([]);
    expect(ids(await store.claimer.claimBacklog(worker, PLACE, 5, noTrying))).toEqual([order[0], order[1], order[4]]);
  });

  it('keeps to its place', async () => {
    const store = current();
    store.doorbell.window = 'shut';
    const worker = await store.hire();
    await store.add({ queue: 'elsewhere' });
    await store.add({ priority: 1 });
    await store.add({ tenant: 'other' });
    expect(await store.claimer.claimBacklog(worker, PLACE, 10, noTrying)).toEqual([]);
    expect(await store.claimer.claimBacklog(worker, { ...PLACE, tenant: 'other' }, 10, noTrying)).toMatchObject([{ tenant: 'other' }]);
  });

  it('is shared by claimers without overlap and without remainder', async () => {
    const store = current();
    store.doorbell.window = 'shut';
    const added = await store.addMany(120);
    const workers = await Promise.all(Array.from({ length: 4 }, () => store.hire()));
    const claimed: ClaimedTask[] = [];
    await Promise.all(
      workers.map((worker) =>
        takeAll(async () => {
          const taken = await store.claimer.claimBacklog(worker, PLACE, 7, noTrying);
          claimed.push(...taken);
          return { taken: taken.length };
        }),
      ),
    );
    // One that met only rows which the others held may have stopped early; what is left is for the next look.
    claimed.push(...(await store.claimer.claimBacklog(workers[0]!, PLACE, 120, noTrying)));
    expect(ids(claimed)).toEqual(ids(added));
  });

  // SQLite has one writer: there is no such moment.
  if (backend.name !== 'sqlite') {
    it('walks past rows that another claimer has locked', async () => {
      const store = current();
      store.doorbell.window = 'shut';
      const worker = await store.hire();
      const other = await store.hire();
      const added = await store.addMany(6);
      const order = added.map(({ id }) => id).sort();
      let second: ClaimedTask[] = [];
      // Between the first one's look and its claim, the second one comes along.
      const first = await store.raw.transaction(async (transaction) => {
        const { dialect } = store.raw;
        await transaction.query({
          text: `SELECT id FROM tasks FORCE INDEX (ix_tasks_phase) WHERE phase = 'unrung' AND queue = 'default' AND lane = 1 AND tenant = 'acme' ORDER BY id LIMIT 2${dialect.lockFree.text}`,
          values: [],
        });
        second = await store.claimer.claimBacklog(other, PLACE, 3, noTrying);
        return order.slice(0, 2);
      });
      expect(ids(second)).toEqual(order.slice(2, 5));
      expect(ids(await store.claimer.claimBacklog(worker, PLACE, 2, noTrying))).toEqual(first);
    });
  }

  it('from the backlog leaves out what expires between the look and the claim, and knows what it has', async () => {
    const store = current();
    store.doorbell.window = 'shut';
    const worker = await store.hire();
    const added = await store.addMany(3);
    const [first, mortal, last] = added.map(({ id }) => id).sort();
    const expiresAt = Date.now() + 500;
    await store.raw.execute(sql`UPDATE tasks SET expires_at = ${expiresAt} WHERE id = ${bytesOf(mortal!)}`);
    store.database.interruptInside(() => until(() => Date.now() > expiresAt + 5, { what: 'the time to run out' }), 1, 'run');
    const claimed = await store.claimer.claimBacklog(worker, PLACE, 3, noTrying);
    expect(ids(claimed)).toEqual([first, last]);
    expect(claimed).toMatchObject([{ attempt: 1 }, { attempt: 1 }]);
    expect(await store.row(mortal!)).toMatchObject({ state: 'queued', attempt: 0 });
    await store.raw.execute(sql`UPDATE tasks SET expires_at = 0 WHERE id = ${bytesOf(mortal!)}`);
  });

  it('from the backlog says of a task what its row says', async () => {
    const store = current();
    store.doorbell.window = 'shut';
    const worker = await store.hire();
    await store.addMany(2);
    const claimed = await store.claimer.claimBacklog(worker, PLACE, 2, noTrying);
    expect(claimed).toHaveLength(2);
    expect(
      await store.claimer.held(
        worker,
        claimed.map(({ bytes }) => bytes),
      ),
    ).toEqual(claimed);
  });

  it('can be asked about after its answer was lost', async () => {
    const store = current();
    store.doorbell.window = 'shut';
    const worker = await store.hire();
    const added = await store.addMany(4);
    let tried: readonly Buffer[] = [];
    store.database.loseAnswer();
    await expect(store.claimer.claimBacklog(worker, PLACE, 3, (taken) => (tried = taken))).rejects.toBeInstanceOf(Unavailable);
    expect(ids(await store.claimer.held(worker, tried))).toEqual(ids(added).slice(0, 3));
  });

  it('takes a task that has just been rung in between only once', async () => {
    const store = current();
    store.doorbell.window = 'shut';
    const [one, other] = [await store.hire(), await store.hire()];
    const added = await store.addMany(20);
    const wanted = added.map(({ id }) => bytesOf(id));
    const [byMessage, byLook] = await Promise.all([
      store.claimer.claim(one, wanted),
      store.claimer.claimBacklog(other, PLACE, 20, noTrying),
    ]);
    expect(ids([...byMessage, ...byLook])).toEqual(ids(added));
  });
});
