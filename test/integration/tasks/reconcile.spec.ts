/** A queued task whose message is lost is found and offered again; one whose message is still on its way is left alone. */
import { expect, it } from '@jest/globals';
import { sql } from '@app/database';
import type { DoorbellReader } from '@app/queue';
import { addQueues } from '../../support/queue-rows.js';
import { bytesOf, RECONCILE_GRACE_MS, type Store } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';
import { until } from '../../support/until.js';

const going = new AbortController().signal;
let queues = 0;

/** A queue that no test has used, because what was rung stays in the doorbell. */
const newQueue = (): string => `q${(queues += 1)}`;

const offered = (store: Store): Promise<number> => store.count(sql`tasks WHERE phase = 'unrung'`);

/** Lets the tasks of a queue have been rung so long ago. */
async function age(store: Store, queue: string, ms: number): Promise<void> {
  await store.raw.execute(sql`UPDATE tasks SET rung_at = rung_at - ${ms} WHERE queue = ${queue} AND rung_at > 0`);
}

/** Reads and forgets what the door has for a queue, so many tasks at most. */
async function empty(store: Store, queue: string, most: number, isFinished = true): Promise<void> {
  const reader: DoorbellReader = store.doorbell.open(queue, 'tester');
  try {
    const deliveries = await reader.read({ tasks: most, lanes: ['high', 'normal', 'low'], blockMs: 0, signal: going });
    expect(deliveries.length).toBeGreaterThan(0);
    if (isFinished) await reader.finish(deliveries);
  } finally {
    await reader.close();
  }
}

/** Adds so many tasks and waits until the door has their messages. */
async function addRung(store: Store, queue: string, count: number): Promise<string[]> {
  const before = store.doorbell.rung.length;
  const added = await store.addMany(count, { queue });
  await until(() => store.doorbell.rung.length === before + count);
  return added.map(({ id }) => id);
}

onEveryStore('reconciling', (current) => {
  it('offers what an empty lane should have, after the grace period and not before', async () => {
    const store = current();
    const queue = newQueue();
    const [id] = await addRung(store, queue, 1);
    await empty(store, queue, 10);
    expect(await store.reconciler.reconcile(going)).toBe(0);
    await age(store, queue, RECONCILE_GRACE_MS - 5_000);
    expect(await store.reconciler.reconcile(going)).toBe(0);
    await age(store, queue, 5_001);
    expect(await store.reconciler.reconcile(going)).toBe(1);
    expect(await store.row(id!)).toMatchObject({ state: 'queued', phase: 'unrung', rung_at: 0 });
    expect(await store.claimer.backlog([queue], 1)).toHaveLength(1);
    expect(await store.reconciler.reconcile(going)).toBe(0);
  });

  it('offers what was rung before the message that was delivered last', async () => {
    const store = current();
    const queue = newQueue();
    const [lost] = await addRung(store, queue, 1);
    await empty(store, queue, 10);
    const [next, waiting] = [await addRung(store, queue, 1), await addRung(store, queue, 1)];
    await empty(store, queue, 1, false);
    await store.raw.execute(sql`UPDATE tasks SET rung_at = rung_at - 3000 WHERE id = ${bytesOf(lost!)}`);
    expect(await store.reconciler.reconcile(going)).toBe(1);
    expect(await store.row(lost!)).toMatchObject({ phase: 'unrung' });
    expect(await store.row(next[0]!)).toMatchObject({ phase: 'live' });
    expect(await store.row(waiting[0]!)).toMatchObject({ phase: 'live' });
  });

  it('touches nothing of a backlog of 1,000 messages that nobody has read yet, long past the grace period', async () => {
    const store = current();
    const queue = newQueue();
    await addRung(store, queue, 1_000);
    await age(store, queue, 5 * RECONCILE_GRACE_MS);
    expect(await store.reconciler.reconcile(going)).toBe(0);
    expect(await offered(store)).toBe(0);
  });

  it('lets nothing wait for ever, whatever the door shows', async () => {
    const store = current();
    const queue = newQueue();
    await addRung(store, queue, 20);
    await age(store, queue, 7 * RECONCILE_GRACE_MS);
    expect(await store.reconciler.reconcile(going)).toBe(20);
    expect(await store.claimer.backlog([queue], 1)).toHaveLength(1);
  });

  it('looks past the first page: 2,500 lost messages in three queues', async () => {
    const store = current();
    const names = [newQueue(), newQueue(), newQueue()];
    for (const [index, queue] of names.entries()) {
      await Promise.all([
        store.addMany(index === 1 ? 1_500 : 250, { queue }),
        store.addMany(250, { queue, tenant: 'other', priority: index - 1 }),
      ]);
    }
    await until(() => store.doorbell.rung.length === 2_750);
    store.doorbell.standing = null;
    for (const queue of names) await age(store, queue, 2 * RECONCILE_GRACE_MS);
    expect(await store.reconciler.reconcile(going)).toBe(2_750);
    expect(await offered(store)).toBe(2_750);
  });

  it('offers what cannot be seen, while the doorbell is away, after the grace period', async () => {
    const store = current();
    const queue = newQueue();
    await addRung(store, queue, 3);
    store.doorbell.away = true;
    expect(await store.reconciler.reconcile(going)).toBe(0);
    await age(store, queue, RECONCILE_GRACE_MS + 5_000);
    expect(await store.reconciler.reconcile(going)).toBe(3);
  });

  it('asks a doorbell that does not answer once per look, and not once per lane', async () => {
    const store = current();
    const names = Array.from({ length: 20 }, newQueue);
    for (const queue of names) await addRung(store, queue, 1);
    for (const queue of names) await age(store, queue, RECONCILE_GRACE_MS + 5_000);
    store.doorbell.away = true;
    expect(await store.reconciler.reconcile(going)).toBe(20);
    expect(store.doorbell.asked).toBe(1);
    store.doorbell.away = false;
    expect(await store.reconciler.reconcile(going)).toBe(0);
  });

  it('compares each lane by the clocks of the moment it was asked, however long the look goes on', async () => {
    const store = current();
    const queue = newQueue();
    await addRung(store, queue, 1_500);
    const rungAt = await store.now();
    await store.raw.execute(sql`UPDATE tasks SET rung_at = ${rungAt}`);
    // All were rung when the message was that was delivered last, and the door's clock is the database's.
    store.doorbell.standing = { length: 1_500, now: rungAt, lastDeliveredAt: rungAt };
    const atOnce = (): Promise<void> => Promise.resolve();
    const later = (): Promise<unknown> => until(async () => (await store.now()) > rungAt + 2_500, { what: 'the clock to go on' });
    for (const wait of [atOnce, atOnce, later]) store.database.interrupt(['query'], wait);
    expect(await store.reconciler.reconcile(going)).toBe(0);
    expect(await offered(store)).toBe(0);
  });

  it('measures the difference of the clocks and allows for a little more', async () => {
    const store = current();
    const queue = newQueue();
    const [id] = await addRung(store, queue, 1);
    const rungAt = (await store.row(id!))['rung_at'] as number;
    const now = await store.now();
    const ahead = 3_600_000;
    store.doorbell.standing = { length: 1, now: now + ahead, lastDeliveredAt: rungAt + ahead - 500 };
    expect(await store.reconciler.reconcile(going)).toBe(0);
    store.doorbell.standing = { length: 1, now: now - ahead, lastDeliveredAt: rungAt - ahead + 500 };
    expect(await store.reconciler.reconcile(going)).toBe(0);
    store.doorbell.standing = { length: 1, now: (await store.now()) - ahead, lastDeliveredAt: rungAt - ahead + 5_000 };
    expect(await store.reconciler.reconcile(going)).toBe(1);
  });

  it('leaves alone what runs, waits, has ended or was never rung', async () => {
    const store = current();
    const queue = newQueue();
    const worker = await store.hire();
    const [running, ended] = await addRung(store, queue, 2);
    await store.claim(worker, running!);
    await store.canceller.cancel('acme', ended!, 'someone');
    const scheduled = await store.add({ queue, delayMs: 60_000 });
    store.doorbell.away = true;
    const unrung = await store.add({ queue });
    await age(store, queue, 10 * RECONCILE_GRACE_MS);
    const before = await Promise.all([running!, ended!, scheduled.id, unrung.id].map((id) => store.row(id)));
    expect(await store.reconciler.reconcile(going)).toBe(0);
    expect(await Promise.all([running!, ended!, scheduled.id, unrung.id].map((id) => store.row(id)))).toEqual(before);
  });

  it('yields to a claim that comes between the look and the offer', async () => {
    const store = current();
    const queue = newQueue();
    const worker = await store.hire();
    const [id] = await addRung(store, queue, 1);
    await age(store, queue, 10 * RECONCILE_GRACE_MS);
    store.doorbell.away = true;
    store.database.interrupt(['execute'], () => store.claim(worker, id!));
    expect(await store.reconciler.reconcile(going)).toBe(0);
    expect(await store.row(id!)).toMatchObject({ state: 'running', phase: 'live' });
  });

  it('stops between pages when it is told to', async () => {
    const store = current();
    const queue = newQueue();
    await addRung(store, queue, 2);
    await age(store, queue, 10 * RECONCILE_GRACE_MS);
    store.doorbell.away = true;
    expect(await store.reconciler.reconcile(AbortSignal.abort())).toBe(0);
  });

  it('tidies every queue there is', async () => {
    const store = current();
    const queue = newQueue();
    await addRung(store, queue, 3);
    await empty(store, queue, 10, false);
    await store.reconciler.tidy(0, going);
    if (store.backend.name !== 'sqlite') expect(await store.doorbell.position(queue, 'normal')).toMatchObject({ length: 0 });
    expect(await store.reconciler.reconcile(going)).toBe(0);
  });

  it('tidies every queue there is, 200 at a time, and goes on behind one that cannot be tidied', async () => {
    const store = current();
    const names = Array.from({ length: 1_100 }, (_, index) => `n${String(index).padStart(4, '0')}`);
    await addQueues(store, 'acme', names);
    store.doorbell.real.tidy = (name) => (name === names[150] ? Promise.reject(new Error('WRONGTYPE')) : Promise.resolve());
    await expect(store.reconciler.tidy(60_000, going)).rejects.toThrow('WRONGTYPE');
    expect(store.doorbell.tidied).toEqual(names.slice(0, 151));
    await store.reconciler.tidy(60_000, going);
    expect(store.doorbell.tidied).toEqual(names.slice(0, 351));
    for (let call = 0; call < 4; call += 1) await store.reconciler.tidy(60_000, going);
    expect(store.doorbell.tidied).toEqual(names);
    await store.reconciler.tidy(60_000, AbortSignal.abort());
    expect(store.doorbell.tidied).toEqual(names);
  });
});
