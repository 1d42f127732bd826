/**
 * Quotas: what a tenant has that has not ended never goes beyond its limits, whoever submits and however many at once, and every end
 * gives back. That usage and count agree is asked after every test here, as after every other test of the store.
 */
import { expect, it } from '@jest/globals';
import { sql } from '@app/database';
import { QuotaExceeded } from '@app/errors';
import { TenantUsage } from '@app/limits';
import { type NewTask, type Submitted, type TaskSubmitter, type Verdict } from '@app/tasks';
import { limit } from '../../support/limited.js';
import { bytesOf, keyed, newTask, OOPS, POISON_CRASHES, type Store, UNHANDLED_GRACE_MS } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';
import { taskIn } from '../../support/store-states.js';

const HOUR_MS = 3_600_000;
const PAYLOAD_BYTES = Buffer.byteLength(newTask().payload);

const isAccepted = ({ status }: PromiseSettledResult<unknown>): boolean => status === 'fulfilled';
const shown = (answers: readonly PromiseSettledResult<Submitted>[]): string[] =>
  answers.map((answer) => {
    if (answer.status === 'fulfilled') return answer.value.replayed ? 'replayed' : 'accepted';
    return answer.reason instanceof QuotaExceeded
      ? `${answer.reason.code} ${answer.reason.quota} ${answer.reason.limit}`
      : String(answer.reason);
  });

/** Each by a call of its own, spread over several submitters, as several processes would. */
async function submitAtOnce(submitters: readonly TaskSubmitter[], count: number, options: Partial<NewTask> = {}) {
  const calls = Array.from({ length: count }, (_, index) => submitters[index % submitters.length]!.submit(newTask(options)));
  return Promise.allSettled(calls);
}

onEveryStore('quotas', (current) => {
  it.each([
    ['tasks.queued', 10, 9],
    ['payload.bytes', 10 * PAYLOAD_BYTES + 3, 9],
    ['queue.depth', 10, 9],
  ] as const)(
    'of %s: 200 parallel submissions over several processes at one below the limit accept exactly one',
    async (name, value, before) => {
      const store = current();
      await limit(store, { [name]: value });
      await store.addMany(before);
      const answers = await submitAtOnce([store.submitterOf(), store.submitterOf(), store.submitter], 200);
      expect(answers.filter(isAccepted)).toHaveLength(1);
      expect(new Set(shown(answers))).toEqual(new Set(['accepted', `quota-exceeded ${name} ${value}`]));
      expect(await store.count(sql`tasks`)).toBe(before + 1);
    },
  );

  it('fill to the last place, and not beyond, while several processes submit and others end tasks', async () => {
    const store = current();
    await limit(store, { 'tasks.queued': 40 });
    const worker = await store.hire({ concurrency: 200 });
    const submitters = [store.submitterOf(), store.submitterOf()];
    const unended = () => store.count(sql`tasks WHERE finished_at = 0`);
    for (let round = 0; round < 5; round += 1) {
      const added = submitAtOnce(submitters, 60);
      const held = await store.raw.query<{ id: Buffer }>(sql`SELECT id FROM tasks WHERE state = 'queued' ORDER BY id LIMIT 15`);
      const claimed = await store.claimer.claim(
        worker,
        held.map(({ id }) => id),
      );
      await Promise.all([
        ...claimed.map((task) => store.settle(worker, task, { kind: 'succeeded', result: '1' })),
        store.usage.fold(),
        store.usage.fold(),
      ]);
      await added;
      expect(await unended()).toBeLessThanOrEqual(40);
    }
    await submitAtOnce(submitters, 60);
    expect(await unended()).toBe(40);
  });

  it('let in as many of a group as fit, in order, and say of each of the others why', async () => {
    const store = current();
    await limit(store, { 'tasks.queued': 4 });
    const earlier = await store.add({ idempotency: keyed('earlier') });
    const group = [
      newTask({ idempotency: keyed('earlier') }),
      newTask({ idempotency: keyed('first') }),
      newTask({ tenant: 'other' }),
      newTask(),
      newTask({ idempotency: keyed('last that fits') }),
      newTask({ idempotency: keyed('one too many') }),
      newTask(),
      newTask({ tenant: 'other' }),
    ];
    const over = 'quota-exceeded tasks.queued 4';
    const answers = await store.submitter.submitMany(group);
    expect(shown(answers)).toEqual(['replayed', 'accepted', 'accepted', 'accepted', 'accepted', over, over, 'accepted']);
    // Replays need no room, and who was refused has not used its key up.
    await store.canceller.cancel('acme', earlier.id, 'someone');
    expect(shown(await store.submitter.submitMany(group.slice(4, 7)))).toEqual(['replayed', 'accepted', over]);
    expect(shown(await store.submitter.submitMany(group.slice(4, 6)))).toEqual(['replayed', 'replayed']);
  });

  it('send only a full tenant the careful way: the others of its group are undone once at most, and not again', async () => {
    const store = current();
    await limit(store, { 'tasks.queued': 1 }, { tenant: 'full' });
    await store.addMany(1, { tenant: 'full' });
    await store.addMany(1);
    await store.submitter.drained();
    const group = ['full', 'acme', 'other', 'acme'].map((tenant) => newTask({ tenant }));
    const expected = ['quota-exceeded tasks.queued 1', 'accepted', 'accepted', 'accepted'];
    const before = { ...store.database.counts };
    expect(shown(await store.submitter.submitMany(group))).toEqual(expected);
    expect({ ...store.database.counts }).toEqual({
      ...{ ...before, batch: before.batch + 2, query: before.query + 1, transaction: before.transaction + 1 },
    });
    const between = { ...store.database.counts };
    expect(shown(await store.submitter.submitMany(group))).toEqual(expected);
    expect({ ...store.database.counts }).toEqual({ ...between, batch: between.batch + 1, transaction: between.transaction + 1 });
  });

  it('refuse what is too heavy and let in what is lighter behind it', async () => {
    const store = current();
    await limit(store, { 'payload.bytes': 20 });
    const payload = (text: string): NewTask => newTask({ payload: JSON.stringify(text) });
    const answers = await store.submitter.submitMany([payload('12345678'), payload('ä23456789'), payload('ü23456'), payload('')]);
    expect(shown(answers)).toEqual(['accepted', 'quota-exceeded payload.bytes 20', 'accepted', 'quota-exceeded payload.bytes 20']);
    expect((await store.usage.of('acme')).payloadBytes).toBe(19);
  });

  it('of a queue bound that queue and no other, also where it was deep before it was limited', async () => {
    const store = current();
    await store.addMany(3, { queue: 'reports' });
    await limit(store, { 'queue.depth': 5 }, { queue: 'reports' });
    const over = 'quota-exceeded queue.depth 5';
    const answers = await store.submitter.submitMany(['reports', 'reports', 'reports', 'default'].map((queue) => newTask({ queue })));
    expect(shown(answers)).toEqual(['accepted', 'accepted', over, 'accepted']);
    expect(await store.usage.of('acme')).toMatchObject({ tasks: 6, queues: new Map([['reports', 5]]) });
  });

  it('of a queue count right from the moment they are set, whatever is under way', async () => {
    const store = current();
    const worker = await store.hire({ concurrency: 200 });
    const early = await store.addMany(30, { queue: 'reports' });
    const claimed = await store.claimer.claim(
      worker,
      early.map(({ id }) => bytesOf(id)),
    );
    const [first, second] = [store.submitterOf(), store.submitterOf()];
    const before = submitAtOnce([first], 50, { queue: 'reports' });
    const ends = claimed.map((task) => store.settle(worker, task, { kind: 'succeeded', result: '1' }));
    await limit(store, { 'queue.depth': 1_000 }, { queue: 'reports' });
    await limit(store, { 'tasks.queued': 2_000 });
    await Promise.all([before, ...ends, submitAtOnce([first, second], 50, { queue: 'reports' }), store.usage.fold()]);
    expect((await store.usage.of('acme')).queues.get('reports')).toBe(100);
  });

  it('hold after a restart, and no tenant is bound by those of another', async () => {
    const store = current();
    await limit(store, { 'tasks.queued': 2 });
    await store.addMany(2);
    const restarted = store.submitterOf();
    await expect(restarted.submit(newTask())).rejects.toMatchObject({ code: 'quota-exceeded', kind: 'limited', retryAfterMs: 5_000 });
    await restarted.submit(newTask({ tenant: 'other' }));
  });

  it('hold from one moment to the next when they are set, for every tenant or for one, and no longer when they are removed', async () => {
    const store = current();
    await store.addMany(3);
    const attempt = async (tenant = 'acme') => shown(await store.submitter.submitMany([newTask({ tenant })]))[0];
    await limit(store, { 'tasks.queued': 1 }, { tenant: '*' });
    expect(await attempt()).toBe('quota-exceeded tasks.queued 1');
    await limit(store, { 'tasks.queued': 4 });
    expect([await attempt(), await attempt()]).toEqual(['accepted', 'quota-exceeded tasks.queued 4']);
    expect([await attempt('other'), await attempt('other')]).toEqual(['accepted', 'quota-exceeded tasks.queued 1']);
    await limit(store, { 'tasks.queued': null });
    expect(await attempt()).toBe('quota-exceeded tasks.queued 1');
    await limit(store, { 'tasks.queued': null }, { tenant: '*' });
    expect(await attempt()).toBe('accepted');
    await limit(store, { 'tasks.queued': 0 });
    expect(await attempt()).toBe('quota-exceeded tasks.queued 0');
  });

  it('cost a group no call more, and the end of a group no call more', async () => {
    const store = current();
    const worker = await store.hire();
    await store.add();
    await store.submitter.drained();
    const before = { ...store.database.counts };
    const added = await store.addMany(5);
    expect({ ...store.database.counts }).toEqual({ ...before, batch: before.batch + 1 });
    const claimed = await store.claimer.claim(
      worker,
      added.map(({ id }) => bytesOf(id)),
    );
    const between = { ...store.database.counts };
    await Promise.all(claimed.map((task) => store.settle(worker, task, { kind: 'succeeded', result: '1' })));
    expect({ ...store.database.counts }).toEqual({ ...between, transaction: between.transaction + 1 });
    expect(await store.count(sql`usage_returns`)).toBe(1);
  });
});

/** Every way a task ends; each is given one that has not ended. */
const settled = (verdict: Verdict) => async (store: Store) => {
  await store.finish(await store.hire(), verdict);
};
const lost = async (store: Store, crashes: number) => {
  const { id } = await store.add();
  const worker = await store.hire();
  await store.claim(worker, id);
  await store.raw.execute(sql`UPDATE tasks SET crashes = ${crashes} WHERE id = ${bytesOf(id)}`);
  await store.raw.execute(sql`UPDATE workers SET solo_task = ${bytesOf(id)} WHERE id = ${worker}`);
  await store.bury(worker);
  return id;
};
const timed = (kind: 'expire' | 'deadline') => async (store: Store) => {
  const { id } = await store.add({ expiresAt: Date.now() + HOUR_MS, deadlineMs: HOUR_MS });
  await store.makeDue(id, kind);
  await store.expirer.expire(kind);
};

const ENDS: Readonly<Record<string, (store: Store) => Promise<unknown>>> = {
  'a success': settled({ kind: 'succeeded', result: '1' }),
  'a failure': settled({ kind: 'failed', reason: 'permanent_error', error: OOPS, timedOut: false }),
  'a cancellation by the worker': settled({ kind: 'cancelled', error: null }),
  'a crash too many, told by its process': settled({ kind: 'crashed', poison: true, error: OOPS }),
  'a cancellation while it waits': async (store) => {
    await taskIn(store, 'cancelled');
  },
  'its expiry': timed('expire'),
  'its deadline': timed('deadline'),
  'no handler': async (store) => {
    const { id } = await store.add({ name: 'ghost' });
    const worker = await store.hire();
    const released: Verdict = { kind: 'released', delayMs: HOUR_MS, error: null, unhandled: true };
    await store.settle(worker, await store.claim(worker, id), released);
    await store.makeDue(id, 'unhandled');
    await store.raw.execute(sql`UPDATE workers SET heartbeat_at = heartbeat_at - ${2 * UNHANDLED_GRACE_MS} WHERE state <> 'live'`);
    await store.expirer.expire('unhandled');
  },
  'a lost worker too many': async (store) => {
    await lost(store, POISON_CRASHES - 1);
    await store.sweeper.takeBack();
  },
  'a lost worker that was asked to stop it': async (store) => {
    const id = await lost(store, 0);
    await store.canceller.cancel('acme', id, 'someone');
    await store.sweeper.takeBack();
  },
  'a cancellation of many': async (store) => {
    await store.add();
    const order = { tenant: 'acme', action: 'cancel', filter: { name: 'echo' }, reason: 'r', ratePerSecond: 100 } as const;
    await store.bulk.start({ ...order, requestedBy: 'someone', idempotency: null });
    await store.bulkRunnerOf().step();
  },
};

const ROUNDS: Readonly<Record<string, Verdict>> = {
  'a retry': { kind: 'retry', delayMs: HOUR_MS, error: OOPS, timedOut: false },
  'a pause': { kind: 'snoozed', delayMs: HOUR_MS },
  'being given back': { kind: 'released', delayMs: 0, error: null, unhandled: false },
  'its fallback': { kind: 'fallback', error: OOPS, timedOut: false, from: 'echo', to: 'ghost' },
  'a crash': { kind: 'crashed', poison: false, error: OOPS },
};

onEveryStore('the place of a task', (current) => {
  it.each(Object.keys(ENDS))('is given back by %s', async (way) => {
    const store = current();
    await limit(store, { 'tasks.queued': 1, 'queue.depth': 1 });
    await ENDS[way]!(store);
    expect(await store.count(sql`tasks WHERE finished_at = 0`)).toBe(0);
    expect(await store.usage.of('acme')).toMatchObject({ tasks: 0, payloadBytes: 0 });
    await store.add();
    await expect(store.add()).rejects.toMatchObject({ code: 'quota-exceeded' });
  });

  it.each(Object.keys(ROUNDS))('is kept over %s', async (way) => {
    const store = current();
    await limit(store, { 'tasks.queued': 1 });
    await store.finish(await store.hire(), ROUNDS[way]!);
    await expect(store.add()).rejects.toMatchObject({ code: 'quota-exceeded' });
    expect(await store.usage.of('acme')).toMatchObject({ tasks: 1, payloadBytes: PAYLOAD_BYTES });
  });

  it('is given back once where the answer of the end is lost, and taken once where that of the beginning is', async () => {
    const store = current();
    const worker = await store.hire();
    store.database.loseAnswer();
    const { id } = await store.add();
    expect((await store.usage.of('acme')).tasks).toBe(1);
    const claimed = await store.claim(worker, id);
    store.database.loseAnswer(['transaction']);
    await store.settle(worker, claimed, { kind: 'succeeded', result: '1' });
    expect((await store.usage.of('acme')).tasks).toBe(0);
    expect(await store.count(sql`usage_returns`)).toBe(1);
  });

  it('is taken off the usage once, however many do so at once', async () => {
    const store = current();
    const worker = await store.hire();
    for (let turn = 0; turn < 5; turn += 1) await store.finish(worker, { kind: 'succeeded', result: '1' });
    const other = new TenantUsage(store.raw);
    await Promise.all([store.usage.fold(), other.fold(), store.usage.fold(), other.fold()]);
    await store.usage.fold();
    expect(await store.count(sql`usage_returns`)).toBe(0);
    expect(await store.count(sql`tenant_usage WHERE tenant = 'acme' AND tasks = 0 AND payload_bytes = 0`)).toBe(1);
  });

  it('is taken again by an operator who sends the task round again, with the payload it then has', async () => {
    const store = current();
    const failed = await taskIn(store, 'failed');
    await limit(store, { 'tasks.queued': 1, 'payload.bytes': 10 });
    const other = await store.add();
    await expect(store.retrier.retry('acme', failed.id, 'someone')).rejects.toMatchObject({ code: 'quota-exceeded' });
    expect((await store.row(failed.id)).state).toBe('failed');
    expect(await store.count(sql`audit_entries WHERE action = 'task.retry'`)).toBe(0);
    await store.canceller.cancel('acme', other.id, 'someone');
    await expect(store.retrier.retry('acme', failed.id, 'someone', { payload: '"12345678901"' })).rejects.toMatchObject({
      quota: 'payload.bytes',
    });
    await store.retrier.retry('acme', failed.id, 'someone', { payload: '"12345678"' });
    expect(await store.usage.of('acme')).toMatchObject({ tasks: 1, payloadBytes: 10 });
    expect((await store.row(failed.id))['payload_bytes']).toBe(10);
  });

  it('is taken again by an operation over many, for as many as there is room for', async () => {
    const store = current();
    for (let turn = 0; turn < 5; turn += 1) await taskIn(store, 'failed');
    await limit(store, { 'tasks.queued': 3 });
    await store.add({ queue: 'elsewhere' });
    const order = { tenant: 'acme', action: 'retry', filter: { queue: 'default' }, reason: 'r', ratePerSecond: 100 } as const;
    const { operation } = await store.bulk.start({ ...order, requestedBy: 'someone', idempotency: null });
    await store.bulkRunnerOf().step();
    expect(await store.bulk.get('acme', operation.id)).toMatchObject({ examined: 5, done: 2, skipped: 3, state: 'finished' });
    expect(await store.count(sql`tasks WHERE state = 'queued'`)).toBe(3);
  });
});
