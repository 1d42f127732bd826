/** Tasks whose time is over end with a reason; what runs is left to its worker and looked at again. */
import { expect, it } from '@jest/globals';
import { idText, sql } from '@app/database';
import { OOPS, takeAll, type Store } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';

const NOBODY = Buffer.alloc(16);
const HOUR_MS = 3_600_000;
const KINDS = ['expire', 'deadline'] as const;
const OPTIONS = { expire: () => ({ expiresAt: Date.now() + HOUR_MS }), deadline: () => ({ deadlineMs: HOUR_MS }) };
const RETRY = { kind: 'retry', delayMs: 60_000, error: OOPS, timedOut: false } as const;
const LACKS = { code: 'unknown-handler', message: 'no' };
const GIVE_BACK = { kind: 'released', delayMs: 60_000, error: LACKS, unhandled: true } as const;

/** A task that a worker has given back because it lacks the handler, with the grace period over. */
async function unhandled(store: Store, options = {}): Promise<string> {
  const worker = await store.hire({ queues: ['nowhere'] });
  const { id } = await store.finish(worker, GIVE_BACK, { name: 'unheard.of', ...options });
  await store.makeDue(id, 'unhandled');
  return id;
}

onEveryStore('time that is over', (current) => {
  it.each(KINDS)('is not over before it is: %s', async (kind) => {
    const store = current();
    const { id } = await store.add(OPTIONS[kind]());
    expect(await store.expirer.expire(kind)).toEqual({ taken: 0, full: false });
    expect(await store.row(id)).toMatchObject({ state: 'queued' });
    expect(Object.keys(await store.timers(id))).toEqual([kind]);
  });

  it.each([
    ['scheduled', 'expired'],
    ['queued', 'expired'],
    ['retrying', 'expired'],
  ] as const)('for a start ends a %s task as %s', async (from, to) => {
    const store = current();
    const worker = await store.hire();
    const options = OPTIONS.expire();
    const view =
      from === 'retrying'
        ? await store.finish(worker, RETRY, options)
        : await store.add({ ...options, delayMs: from === 'scheduled' ? 60_000 : null });
    await store.makeDue(view.id, 'expire');
    const before = await store.row(view.id);
    expect(before.state).toBe(from);
    expect(await store.expirer.expire('expire')).toEqual({ taken: 1, full: false });
    const after = await store.row(view.id);
    const endedAt = after['finished_at'] as number;
    expect(after).toEqual({ ...before, state: to, phase: to, ended: to, finished_at: endedAt, updated_at: endedAt });
    expect(endedAt).toBeGreaterThanOrEqual(view.createdAt);
    expect(await store.timers(view.id)).not.toHaveProperty('expire');
    expect(await store.attempts(view.id)).toHaveLength(from === 'retrying' ? 1 : 0);
  });

  it.each(['scheduled', 'queued', 'retrying'] as const)(
    'for a whole life ends a %s task as failed, told by an attempt of nobody',
    async (from) => {
      const store = current();
      const worker = await store.hire();
      const options = OPTIONS.deadline();
      const view =
        from === 'retrying'
          ? await store.finish(worker, RETRY, options)
          : await store.add({ ...options, delayMs: from === 'scheduled' ? 60_000 : null });
      await store.makeDue(view.id, 'deadline');
      const before = await store.row(view.id);
      await store.expirer.expire('deadline');
      const after = await store.row(view.id);
      const endedAt = after['finished_at'] as number;
      const attempt = (before['attempt'] as number) + 1;
      expect(after).toEqual({
        ...before,
        ...{ state: 'failed', phase: 'failed', ended: 'failed', reason: 'deadline_exceeded' },
        ...{ attempt, finished_at: endedAt, updated_at: endedAt },
      });
      expect((await store.attempts(view.id)).at(-1)).toMatchObject({
        attempt,
        outcome: 'failed',
        worker_id: NOBODY,
        error_code: 'deadline-exceeded',
      });
      expect(await store.reader.get('acme', view.id)).toMatchObject({
        reason: 'deadline_exceeded',
        lastError: { code: 'deadline-exceeded' },
      });
      expect((await store.reader.attempts('acme', view.id)).at(-1)).toMatchObject({ workerId: idText(NOBODY) });
    },
  );

  it.each(KINDS)('leaves a running task to its worker and looks again: %s', async (kind) => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add(OPTIONS[kind]());
    const claimed = await store.claim(worker, id);
    await store.makeDue(id, kind);
    const before = await store.row(id);
    expect(await store.expirer.expire(kind)).toMatchObject({ taken: 1 });
    expect(await store.row(id)).toEqual(before);
    const dueAt = (await store.timers(id))[kind]!;
    expect(dueAt).toBeGreaterThan(before['updated_at'] as number);
    await store.settle(worker, claimed, RETRY);
    await store.makeDue(id, kind);
    await store.expirer.expire(kind);
    expect(await store.row(id)).toMatchObject({ state: kind === 'expire' ? 'expired' : 'failed' });
  });

  it.each(KINDS)('means nothing to a task that has ended: %s', async (kind) => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.finish(worker, { kind: 'succeeded', result: '1' }, OPTIONS[kind]());
    await store.makeDue(id, kind);
    const before = await store.row(id);
    expect(await store.expirer.expire(kind)).toMatchObject({ taken: 1 });
    expect(await store.row(id)).toEqual(before);
    expect(await store.timers(id)).toEqual({});
  });

  it('ends each of many once, whoever comes', async () => {
    const store = current();
    await store.addMany(450, OPTIONS.deadline());
    await store.raw.execute(sql`UPDATE timers SET due_at = 1`);
    const expireAll = (): Promise<number> => takeAll(() => store.expirer.expire('deadline'));
    const taken = await Promise.all([expireAll(), expireAll(), expireAll()]);
    expect(taken.reduce((sum, part) => sum + part, 0)).toBe(450);
    expect(await store.count(sql`tasks WHERE state = 'failed' AND attempt = 1`)).toBe(450);
    expect(await store.count(sql`attempts`)).toBe(450);
  });

  it('says when a page was full', async () => {
    const store = current();
    await store.addMany(201, OPTIONS.expire());
    await store.raw.execute(sql`UPDATE timers SET due_at = 1`);
    expect(await store.expirer.expire('expire')).toEqual({ taken: 200, full: true });
    expect(await store.expirer.expire('expire')).toEqual({ taken: 1, full: false });
  });
});

onEveryStore('a name that nobody knows', (current) => {
  it('ends the task once a live worker of its queue lacks it', async () => {
    const store = current();
    const id = await unhandled(store);
    await store.hire({ queues: ['default'], handlers: ['echo'] });
    await store.expirer.expire('unhandled');
    expect(await store.reader.get('acme', id)).toMatchObject({
      state: 'failed',
      reason: 'unknown_handler',
      attempt: 2,
      failures: 0,
      lastError: { code: 'unknown-handler' },
    });
    expect((await store.attempts(id)).map(({ outcome, worker_id: worker }) => [outcome, NOBODY.equals(worker as Buffer)])).toEqual([
      ['released', false],
      ['failed', true],
    ]);
    expect(await store.timers(id)).not.toHaveProperty('unhandled');
  });

  it('ends the task also where the worker serves all queues', async () => {
    const store = current();
    const id = await unhandled(store, { queue: 'reports' });
    await store.hire({ queues: ['*'], handlers: [] });
    await store.expirer.expire('unhandled');
    expect(await store.row(id)).toMatchObject({ state: 'failed', reason: 'unknown_handler' });
  });

  it.each([
    ['nobody serves the queue', { queues: ['other'] }, 'live'],
    ['those who serve it are draining', {}, 'draining'],
    ['those who serve it are lost', {}, 'lost'],
    ['those who serve it have stopped', {}, 'stopped'],
  ])('waits while %s', async (_what, options, state) => {
    const store = current();
    const id = await unhandled(store);
    const worker = await store.hire(options);
    await store.raw.execute(sql`UPDATE workers SET state = ${state} WHERE id = ${worker}`);
    const before = await store.row(id);
    await store.expirer.expire('unhandled');
    expect(await store.row(id)).toEqual(before);
    expect((await store.timers(id))['unhandled']).toBeGreaterThan(1);
  });

  it('is forgotten as soon as a live worker of the queue knows it', async () => {
    const store = current();
    const id = await unhandled(store);
    await store.hire({ handlers: ['echo'] });
    await store.hire({ handlers: ['unheard.of'] });
    const before = await store.row(id);
    await store.expirer.expire('unhandled');
    expect(await store.row(id)).toEqual(before);
    expect(Object.keys(await store.timers(id))).toEqual(['run']);
  });

  it('is looked at again while the task runs', async () => {
    const store = current();
    const id = await unhandled(store);
    await store.makeDue(id, 'run');
    await store.promoter.promote();
    const worker = await store.hire({ handlers: [] });
    await store.claim(worker, id);
    await store.expirer.expire('unhandled');
    expect(await store.row(id)).toMatchObject({ state: 'running' });
    expect((await store.timers(id))['unhandled']).toBeGreaterThan(1);
  });

  it('means nothing once the task has ended', async () => {
    const store = current();
    const id = await unhandled(store);
    await store.hire({ handlers: [] });
    await store.canceller.cancel('acme', id, 'someone');
    await store.expirer.expire('unhandled');
    expect(await store.row(id)).toMatchObject({ state: 'cancelled', attempt: 1 });
  });
});
