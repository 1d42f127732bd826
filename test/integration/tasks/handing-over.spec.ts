/** A handler puts its task off, or hands it over to its fallback: the same task goes on, under rules of its own. */
import { expect, it } from '@jest/globals';
import { sql } from '@app/database';
import type { ClaimedTask, Verdict } from '@app/tasks';
import { bytesOf, OOPS, UNHANDLED_GRACE_MS, type Store } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';
import { until } from '../../support/until.js';

const NOBODY = Buffer.alloc(16);
const PUT_OFF: Verdict = { kind: 'snoozed', delayMs: 5_000 };
const handOver = (message: string, from = 'echo', to = 'plain'): Verdict => ({
  kind: 'fallback',
  error: { code: 'oops', message },
  timedOut: false,
  from,
  to,
});

async function started(store: Store): Promise<{ worker: Buffer; task: ClaimedTask }> {
  const worker = await store.hire();
  const { id } = await store.add();
  return { worker, task: await store.claim(worker, id) };
}

const eventsOf = async (store: Store, id: string): Promise<unknown[]> => {
  const found = await store.raw.query<{ kind: string; detail: string }>(
    sql`SELECT kind, detail FROM task_events WHERE task_id = ${bytesOf(id)} AND kind = 'fell_back' ORDER BY at`,
  );
  return found.map(({ detail }) => JSON.parse(detail) as unknown);
};

onEveryStore('handing over', (current) => {
  it('puts a task off without a failure, and promotes it when its time has come', async () => {
    const store = current();
    const { worker, task } = await started(store);
    const before = await store.row(task.id);
    expect(await store.settle(worker, task, PUT_OFF)).toBe('settled');
    const after = await store.row(task.id);
    const updatedAt = after['updated_at'] as number;
    expect(after).toEqual({
      ...before,
      state: 'retrying',
      phase: 'waiting',
      snoozes: 1,
      worker_id: NOBODY,
      run_at: updatedAt + 5_000,
      updated_at: updatedAt,
    });
    expect(await store.attempts(task.id)).toEqual([
      { attempt: 1, outcome: 'snoozed', worker_id: worker, error_code: '', error_message: '', result: null },
    ]);
    expect(Object.keys(await store.timers(task.id))).toEqual(['run']);
    expect(await store.promoter.promote()).toMatchObject({ taken: 0 });
    await store.makeDue(task.id, 'run');
    expect(await store.promoter.promote()).toMatchObject({ taken: 1 });
    expect(await store.claim(worker, task.id)).toMatchObject({ attempt: 2, snoozes: 1, failures: 0 });
  });

  it('ends a task that is put off beyond its deadline', async () => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add({ deadlineMs: 60_000 });
    await store.settle(worker, await store.claim(worker, id), { kind: 'snoozed', delayMs: 2_592_000_000 });
    await store.makeDue(id, 'deadline');
    await store.expirer.expire('deadline');
    expect(await store.row(id)).toMatchObject({ state: 'failed', reason: 'deadline_exceeded' });
  });

  it('ends a task that is put off beyond its expiry', async () => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add({ expiresAt: (await store.now()) + 60_000 });
    await store.settle(worker, await store.claim(worker, id), PUT_OFF);
    await store.makeDue(id, 'expire');
    await store.expirer.expire('expire');
    expect(await store.row(id)).toMatchObject({ state: 'expired' });
  });

  it.each<[string, Verdict]>([
    ['puts off', PUT_OFF],
    ['hands over', handOver('no')],
  ])('cancels rather than %s what was asked to stop meanwhile', async (_what, verdict) => {
    const store = current();
    const { worker, task } = await started(store);
    await store.canceller.cancel('acme', task.id, 'somebody');
    expect(await store.settle(worker, task, verdict)).toBe('settled');
    expect(await store.row(task.id)).toMatchObject({ state: 'cancelled', snoozes: 0, fallbacks: 0 });
    expect(await eventsOf(store, task.id)).toEqual([]);
  });

  it.each<[string, Verdict]>([
    ['puts off', PUT_OFF],
    ['hands over', handOver('no')],
  ])('%s nothing once the task is taken away', async (_what, verdict) => {
    const store = current();
    const { worker, task } = await started(store);
    await store.bury(worker);
    await store.sweeper.takeBack();
    expect(await store.settle(worker, task, verdict)).toBe('fenced');
    expect(await store.row(task.id)).toMatchObject({ state: 'queued', snoozes: 0, fallbacks: 0 });
    expect(await eventsOf(store, task.id)).toEqual([]);
  });

  it('hands over with a budget of its own, and says who took over from whom', async () => {
    const store = current();
    store.doorbell.window = 'shut';
    const { worker, task } = await started(store);
    await store.raw.execute(sql`UPDATE tasks SET failures = 3, crashes = 1, snoozes = 7 WHERE id = ${task.bytes}`);
    expect(await store.settle(worker, task, handOver('It is over.'))).toBe('settled');
    expect(await store.row(task.id)).toMatchObject({
      state: 'queued',
      ended: 'none',
      reason: 'none',
      failures: 0,
      crashes: 0,
      snoozes: 0,
      fallbacks: 1,
      attempt: 1,
      worker_id: NOBODY,
      finished_at: 0,
    });
    expect(await store.attempts(task.id)).toMatchObject([{ outcome: 'failed', error_code: 'oops', error_message: 'It is over.' }]);
    expect(await eventsOf(store, task.id)).toEqual([{ attempt: 1, from: 'echo', to: 'plain' }]);
    await until(() => store.doorbell.rung.length > 0, { what: 'the fallback to be rung for' });
    expect(store.doorbell.rung).toEqual([task.bytes.toString('hex')]);
  });

  it.each(['loseAnswer', 'loseCommit'] as const)('hands over once when the settlement meets: %s', async (accident) => {
    const store = current();
    const { worker, task } = await started(store);
    store.database[accident](['transaction']);
    expect(await store.settle(worker, task, handOver('no'))).toBe('settled');
    expect(await store.row(task.id)).toMatchObject({ state: 'queued', fallbacks: 1 });
    expect(await eventsOf(store, task.id)).toHaveLength(1);
    expect(await store.attempts(task.id)).toHaveLength(1);
  });

  it('tells each fallback how the handler before it failed, and not how it failed itself', async () => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add();
    const told = async (verdict: Verdict): Promise<unknown> => {
      const task = await store.claim(worker, id);
      const found = await store.reader.primaryError(task.bytes);
      await store.settle(worker, task, verdict);
      await store.makeDue(id, 'run');
      await store.promoter.promote();
      return found;
    };
    const failed: Verdict = { kind: 'retry', delayMs: 0, error: OOPS, timedOut: false };
    expect(await told(failed)).toBeNull();
    expect(await told(handOver('the first is through'))).toBeNull();
    expect(await told(failed)).toMatchObject({ message: 'the first is through' });
    expect(await told(handOver('the second is through', 'plain', 'plainer'))).toMatchObject({ message: 'the first is through' });
    expect(await told(failed)).toMatchObject({ code: 'oops', message: 'the second is through' });
    expect(await told({ kind: 'failed', reason: 'permanent_error', error: OOPS, timedOut: false })).toMatchObject({
      message: 'the second is through',
    });
    expect(await store.reader.get('acme', id)).toMatchObject({ state: 'failed', lastError: OOPS });
  });

  it.each([
    ['fails', ['echo', 'echo>other>one'], 'failed'],
    ['keeps', ['echo', 'echo>plain'], 'queued'],
  ] as const)('%s a task whose fallback a live worker of its queue does not, or does, know', async (_what, handlers, state) => {
    const store = current();
    const { worker, task } = await started(store);
    await store.settle(worker, task, handOver('no'));
    await store.bury(worker);
    await store.raw.execute(sql`UPDATE workers SET heartbeat_at = heartbeat_at - ${2 * UNHANDLED_GRACE_MS}`);
    const able = await store.hire({ handlers });
    const again = await store.claim(able, task.id);
    await store.settle(able, again, { kind: 'released', delayMs: 1, unhandled: true, error: OOPS });
    await store.makeDue(task.id, 'run');
    await store.promoter.promote();
    await store.makeDue(task.id, 'unhandled');
    await store.expirer.expire('unhandled');
    expect(await store.row(task.id)).toMatchObject({ state });
  });

  it('shows names, not ways, in the register of workers', async () => {
    const store = current();
    await store.hire({ handlers: ['echo', 'echo>plain', 'plain'] });
    expect(await store.workers.list()).toMatchObject([{ handlers: ['echo', 'plain'] }]);
  });
});
