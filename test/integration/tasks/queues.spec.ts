/** Queues as a tenant sees them, and the register of workers. */
import { expect, it } from '@jest/globals';
import { idText, sql } from '@app/database';
import { NotFound } from '@app/errors';
import { TASK_STATES } from '@app/tasks';
import { taskIn } from '../../support/store-states.js';
import { addQueues } from '../../support/queue-rows.js';
import { onEveryStore } from '../../support/store-suite.js';

const nameOf = (index: number): string => `q${String(index).padStart(5, '0')}`;

const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => nameOf(index));

onEveryStore('queues', (current) => {
  it('count each state over all lanes, and nothing that has ended well', async () => {
    const store = current();
    for (const priority of [5, 0, -5]) for (const state of TASK_STATES) await taskIn(store, state, { queue: 'busy', priority });
    store.doorbell.window = 'shut';
    await store.addMany(2, { queue: 'busy' });
    await store.add({ queue: 'calm' });
    const [busy, calm] = await store.queues.list('acme');
    expect(busy).toMatchObject({
      name: 'busy',
      depth: { scheduled: 3, queued: 5, running: 3, retrying: 3, failed: 3 },
      countedUpTo: 100_000,
    });
    expect(calm).toMatchObject({ name: 'calm', depth: { scheduled: 0, queued: 1, running: 0, retrying: 0, failed: 0 } });
  });

  it('tell the age of the oldest queued task, in whichever lane it stands', async () => {
    const store = current();
    await store.add({ queue: 'a', delayMs: 60_000 });
    expect(await store.queues.list('acme')).toMatchObject([{ name: 'a', oldestQueuedAgeMs: null }]);
    await store.add({ queue: 'a', priority: 1 });
    const young = (await store.queues.list('acme'))[0]!.oldestQueuedAgeMs;
    expect(young).toBeGreaterThanOrEqual(0);
    store.doorbell.window = 'shut';
    const old = await store.add({ queue: 'a', priority: -1 });
    await store.raw.execute(sql`UPDATE tasks SET run_at = run_at - 500000 WHERE id = ${Buffer.from(old.id.replaceAll('-', ''), 'hex')}`);
    const aged = (await store.queues.list('acme'))[0]!.oldestQueuedAgeMs;
    expect(aged).toBeGreaterThanOrEqual(500_000);
    expect(aged).toBeLessThan(600_000);
  });

  it('can be paused and resumed, any number of times, also before their first task', async () => {
    const store = current();
    const before = await store.now();
    const paused = await store.queues.pause('acme', 'halted', 'someone');
    expect(paused).toMatchObject({ name: 'halted', paused: true, pausedBy: 'someone', oldestQueuedAgeMs: null });
    expect(paused.pausedAt).toBeGreaterThanOrEqual(before);
    expect(await store.queues.pause('acme', 'halted', 'another')).toEqual(paused);
    expect(await store.queues.resume('acme', 'halted', 'someone')).toMatchObject({ paused: false, pausedAt: null, pausedBy: null });
    expect(await store.queues.resume('acme', 'halted', 'someone')).toMatchObject({ paused: false });
    expect(await store.queues.pauses()).toEqual([]);
  });

  it('of a tenant that are paused have a bound, and do not push those of others out of what workers read', async () => {
    const store = current();
    for (const tenant of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k']) await addQueues(store, tenant, numbered(1_000));
    await store.raw.execute(sql`UPDATE queues SET paused_at = 1`);
    await store.queues.pause('victim', 'payments', 'ops');
    const pauses = await store.queues.pauses();
    expect(pauses).toHaveLength(11_001);
    expect(pauses.at(-1)).toEqual({ tenant: 'victim', queue: 'payments' });
    await expect(store.queues.pause('a', 'one-more', 'someone')).rejects.toMatchObject({ kind: 'conflict', code: 'too-many-pauses' });
    expect(await store.count(sql`queues WHERE name = 'one-more'`)).toBe(0);
    await store.queues.pause('a', nameOf(7), 'someone');
    await store.queues.resume('a', nameOf(7), 'someone');
    expect(await store.queues.pause('a', 'one-more', 'someone')).toMatchObject({ paused: true });
    await store.queues.pauseEverywhere('ops', 'payments', 'root');
    expect((await store.queues.pauses())[0]).toEqual({ tenant: '*', queue: 'payments' });
  });

  it('in which something was rung are told page by page, and no others', async () => {
    const store = current();
    await addQueues(store, 'acme', numbered(100));
    expect(await store.queues.busy('', 10)).toEqual([]);
    const names = Array.from({ length: 25 }, (_, index) => `busy${String(index).padStart(2, '0')}`);
    for (const queue of names) await store.addMany(2, { queue, tenant: queue > 'busy12' ? 'acme' : 'other' });
    store.doorbell.window = 'shut';
    await store.add({ queue: 'busy-shut' });
    await taskIn(store, 'succeeded', { queue: 'busy-over' });
    expect(await store.queues.busy('', 900)).toEqual(names);
    expect(await store.queues.busy('', 10)).toEqual(names.slice(0, 10));
    expect(await store.queues.busy(names[9]!, 10)).toEqual(names.slice(10, 20));
    expect(await store.queues.busy(names[19]!, 10)).toEqual(names.slice(20));
  });

  it('are not found where the tenant has never used them', async () => {
    const store = current();
    await store.queues.pause('other', 'theirs', 'someone');
    await store.queues.pauseEverywhere('ops', 'everyone', 'root');
    await expect(store.queues.resume('acme', 'theirs', 'someone')).rejects.toBeInstanceOf(NotFound);
    await expect(store.queues.resume('acme', 'everyone', 'someone')).rejects.toBeInstanceOf(NotFound);
    await expect(store.queues.resume('acme', 'nothing', 'someone')).rejects.toBeInstanceOf(NotFound);
  });

  it('can be paused for everybody, which no tenant can lift', async () => {
    const store = current();
    await store.add({ queue: 'q' });
    await store.add({ queue: 'q', tenant: 'other' });
    await store.queues.pauseEverywhere('ops', 'q', 'root');
    expect(await store.queues.pauses()).toEqual([{ tenant: '*', queue: 'q' }]);
    expect(await store.queues.list('acme')).toMatchObject([{ name: 'q', paused: true, pausedBy: 'root', depth: { queued: 1 } }]);
    expect(await store.queues.resume('acme', 'q', 'someone')).toMatchObject({ paused: true, pausedBy: 'root' });
    await store.queues.pause('acme', 'q', 'someone');
    expect(await store.queues.list('acme')).toMatchObject([{ paused: true, pausedBy: 'someone' }]);
    await store.queues.resumeEverywhere('ops', 'q', 'root');
    expect(await store.queues.list('acme')).toMatchObject([{ paused: true, pausedBy: 'someone' }]);
    expect(await store.queues.list('other')).toMatchObject([{ paused: false }]);
  });

  it('are named once for workers that serve all', async () => {
    const store = current();
    await store.add({ queue: 'b' });
    await store.add({ queue: 'a' });
    await store.add({ queue: 'a', tenant: 'other' });
    expect(await store.queues.names()).toEqual(['a', 'b']);
  });

  it('are all told of, 1,000 of them, without crowding out anybody else', async () => {
    const store = current();
    await addQueues(store, 'acme', numbered(1_000));
    await store.queues.pauseEverywhere('ops', 'q00999', 'root');
    await store.addMany(3, { queue: 'q00001' });
    await store.add({ queue: 'q00999', delayMs: 60_000 });
    store.database.reset();
    const [list, again] = await Promise.all([store.queues.list('acme'), store.queues.list('acme')]);
    expect(again).toHaveLength(1_000);
    expect(list.map(({ name }) => name)).toEqual(numbered(1_000));
    expect(list[1]).toMatchObject({ paused: false, depth: { queued: 3, scheduled: 0 }, oldestQueuedAgeMs: expect.any(Number) });
    expect(list[2]).toMatchObject({ paused: false, depth: { queued: 0 }, oldestQueuedAgeMs: null });
    expect(list[999]).toMatchObject({ paused: true, pausedBy: 'root', depth: { scheduled: 1 } });
    expect(store.database.busiest).toBeLessThanOrEqual(4);
    expect(store.database.counts.query).toBeLessThanOrEqual(400);
  });

  it('count no further than they say: each phase of each queue, and less far where there are many', async () => {
    const store = current();
    await addQueues(store, 'acme', numbered(1_000));
    const [first] = await store.queues.list('acme');
    const { countedUpTo } = first!;
    expect(countedUpTo).toBe(1_000);
    store.doorbell.window = 'shut';
    await store.addMany(countedUpTo + 50, { queue: nameOf(0) });
    await store.add({ queue: nameOf(1) });
    const [deep, shallow] = await store.queues.list('acme');
    expect([deep!.depth.queued, shallow!.depth.queued]).toEqual([countedUpTo, 1]);
  });

  it('count what waits behind tasks that run without having left their place', async () => {
    const store = current();
    await addQueues(store, 'acme', numbered(1_000));
    store.doorbell.window = 'shut';
    await store.addMany(1_100, { queue: nameOf(0) });
    const place = { queue: nameOf(0), lane: 'normal', tenant: 'acme' } as const;
    await store.claimer.claimBacklog(await store.hire(), place, 500, () => undefined);
    const [deep] = await store.queues.list('acme');
    expect(deep).toMatchObject({ countedUpTo: 1_000, depth: { queued: 600, running: 500 } });
  });

  it('are all named and all paused, beyond 1,000 of them', async () => {
    const store = current();
    await addQueues(store, 'acme', numbered(2_345));
    await addQueues(store, 'other', numbered(1_500));
    const names = numbered(2_345);
    expect(await store.queues.names()).toEqual(names);
    await store.raw.execute(sql`UPDATE queues SET paused_at = 1, paused_by = 'x'`);
    await store.queues.pauseEverywhere('ops', 'q00007', 'root');
    const pauses = await store.queues.pauses();
    expect(pauses).toHaveLength(3_846);
    expect(pauses.filter(({ tenant }) => tenant === 'acme').map(({ queue }) => queue)).toEqual(names);
    expect(pauses[0]).toEqual({ tenant: '*', queue: 'q00007' });
  });
});

onEveryStore('the register of workers', (current) => {
  it('shows what each has told of itself', async () => {
    const store = current();
    const id = await store.hire({ host: 'h', pid: 42, queues: ['a', 'b'], handlers: ['x'], concurrency: 7 });
    const [worker] = await store.workers.list();
    expect(worker).toMatchObject({
      id: idText(id),
      host: 'h',
      pid: 42,
      state: 'live',
      queues: ['a', 'b'],
      handlers: ['x'],
      concurrency: 7,
    });
    expect(worker!.heartbeatAt).toBe(worker!.startedAt);
    await store.raw.execute(sql`UPDATE workers SET heartbeat_at = 1`);
    expect(await store.raw.execute(store.workers.beat(id))).toBe(1);
    expect((await store.workers.list())[0]!.heartbeatAt).toBeGreaterThanOrEqual(worker!.startedAt);
  });

  it('walks from live over draining to stopped, and never back', async () => {
    const store = current();
    const id = await store.hire();
    const state = async (): Promise<string | undefined> => (await store.workers.list())[0]?.state;
    await store.workers.drain(id);
    expect(await state()).toBe('draining');
    expect(await store.raw.execute(store.workers.beat(id))).toBe(1);
    await store.workers.stop(id);
    expect(await state()).toBe('stopped');
    await store.workers.drain(id);
    expect(await state()).toBe('stopped');
    expect(await store.raw.execute(store.workers.beat(id))).toBe(0);
  });

  it('does not let a lost worker stop in order', async () => {
    const store = current();
    const id = await store.hire();
    await store.bury(id);
    await store.workers.stop(id);
    await store.workers.drain(id);
    expect(await store.workers.list()).toMatchObject([{ state: 'lost' }]);
  });
});
