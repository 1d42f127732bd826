/** The whole life of a task, told in order from what is stored anyway; and what is told is what happened, or nothing. */
import { expect, it } from '@jest/globals';
import { idText, sql } from '@app/database';
import { NotFound } from '@app/errors';
import type { TimelineItem, Verdict } from '@app/tasks';
import { bytesOf, OOPS, POISON_CRASHES, type Store } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';

const HOUR_MS = 3_600_000;
const RETRY: Verdict = { kind: 'retry', delayMs: HOUR_MS, error: OOPS, timedOut: false };
const FAILED: Verdict = { kind: 'failed', reason: 'permanent_error', error: OOPS, timedOut: false };
const LOST = { code: 'worker-lost', message: 'The worker that ran this attempt is gone.' };

type Told = Omit<TimelineItem, 'at'>;

/** What is told, without the times: those of one transaction differ by a millisecond at times, and are shown as they were stored. */
async function tell(store: Store, id: string): Promise<Told[]> {
  const { items, truncated } = await store.timeline.of('acme', id);
  expect(truncated).toBe(false);
  return items.map(({ at: _at, ...told }) => told);
}

const started = (attempt: number, worker: Buffer): Told => ({
  ...{ kind: 'started', state: 'running', attempt, workerId: idText(worker) },
});

const ended = (attempt: number, worker: Buffer, outcome: TimelineItem['outcome'], more: Partial<Told> = {}): Told => ({
  ...{ kind: 'ended', attempt, workerId: idText(worker), ...(outcome !== undefined && { outcome }) },
  ...more,
});

const lost = (attempt: number, worker: Buffer): Told[] => [
  ended(attempt, worker, 'lost', { error: LOST }),
  { kind: 'taken_back', attempt, workerId: idText(worker), detail: { crashed: true } },
];

/** Lets the time of a run timer come and promotes; returns what that looks like in the timeline. */
async function promote(store: Store, id: string, from: 'scheduled' | 'retrying'): Promise<Told> {
  await store.makeDue(id, 'run');
  await store.promoter.promote();
  return { kind: 'promoted', state: 'queued', detail: { from, dueAt: 1, lateMs: expect.any(Number) } };
}

/** A worker that dies with the task, by itself or in company. */
async function crash(store: Store, id: string, isAlone: boolean): Promise<Buffer> {
  const worker = await store.hire();
  if (isAlone) await store.workers.setSolo(worker, bytesOf(id));
  await store.claim(worker, id);
  await store.bury(worker);
  await store.sweeper.takeBack();
  return worker;
}

onEveryStore('the timeline', (current) => {
  it('of a task that simply succeeds costs no event', async () => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.finish(worker, { kind: 'succeeded', result: '1' });
    expect(await tell(store, id)).toEqual([
      { kind: 'submitted', state: 'queued', actor: 'tester' },
      started(1, worker),
      ended(1, worker, 'succeeded', { state: 'succeeded' }),
      { kind: 'finished', state: 'succeeded' },
    ]);
    expect(await store.count(sql`task_events`)).toBe(0);
    const view = await store.reader.get('acme', id);
    const { items } = await store.timeline.of('acme', id);
    const [attempt] = await store.reader.attempts('acme', id);
    expect(items.map(({ at }) => at)).toEqual([view.createdAt, view.startedAt, attempt!.finishedAt, view.finishedAt]);
  });

  it('tells a dramatic life from its beginning to its end', async () => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add({ delayMs: HOUR_MS });
    const expected: Told[] = [{ kind: 'submitted', state: 'scheduled', actor: 'tester', detail: { runAt: 1 } }];
    const step = async (...told: Told[]): Promise<void> => {
      expected.push(...told);
      expect(await tell(store, id)).toEqual(expected);
    };
    const run = async (attempt: number, verdict: Verdict, end: Told): Promise<void> => {
      const claimed = await store.claim(worker, id);
      await step(started(attempt, worker));
      await store.settle(worker, claimed, verdict);
      await step(end);
    };

    await step(await promote(store, id, 'scheduled'));
    await run(1, RETRY, ended(1, worker, 'failed', { error: OOPS }));
    await step(await promote(store, id, 'retrying'));
    await run(2, { kind: 'snoozed', delayMs: HOUR_MS }, ended(2, worker, 'snoozed', { state: 'retrying' }));
    await step(await promote(store, id, 'retrying'));
    await run(3, { kind: 'released', delayMs: 0, error: null, unhandled: false }, ended(3, worker, 'released'));
    for (let attempt = 4; attempt < 4 + POISON_CRASHES; attempt += 1) {
      const dead = await crash(store, id, true);
      expected.push(started(attempt, dead), ...lost(attempt, dead));
    }
    const poisoned: Told = { kind: 'poisoned', state: 'failed', attempt: 6, detail: { crashes: POISON_CRASHES } };
    const finished: Told = { kind: 'finished', state: 'failed', detail: { reason: 'poison' } };
    expected.push(poisoned, finished);
    await step();
    await store.discarder.discard('acme', id, 'the night shift', 'hopeless');
    const aside: Told = { kind: 'discarded', state: 'failed', actor: 'the night shift', detail: { from: 'failed', reason: 'hopeless' } };
    await step(aside);
    await store.retrier.retry('acme', id, 'the day shift', { payload: '{"n":2}', reason: 'mended' });
    // The end does not stand any more.
    expected.splice(expected.indexOf(finished), 1);
    const detail = { from: 'failed', reason: 'mended', payloadEdited: true };
    await step({ kind: 'retried', state: 'queued', actor: 'the day shift', detail });
    const claimed = await store.claim(worker, id);
    await store.canceller.cancel('acme', id, 'the boss');
    const asked: Told = { kind: 'cancel_requested', attempt: 7, actor: 'the boss', detail: { from: 'running' } };
    await step(started(7, worker), asked);
    await store.settle(worker, claimed, { kind: 'retry', delayMs: HOUR_MS, error: OOPS, timedOut: true });
    await step(ended(7, worker, 'cancelled', { state: 'cancelled', error: OOPS }), { kind: 'finished', state: 'cancelled' });
  });

  it('tells of a fallback, and of a worker that gave up by itself', async () => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.finish(worker, { kind: 'fallback', error: OOPS, timedOut: false, from: 'echo', to: 'other' });
    const claimed = await store.claim(worker, id);
    await store.settle(worker, claimed, { kind: 'crashed', poison: true, error: OOPS });
    expect(await tell(store, id)).toEqual([
      { kind: 'submitted', state: 'queued', actor: 'tester' },
      started(1, worker),
      ended(1, worker, 'failed', { error: OOPS }),
      { kind: 'fell_back', state: 'queued', attempt: 1, detail: { from: 'echo', to: 'other' } },
      started(2, worker),
      ended(2, worker, 'lost', { error: OOPS }),
      { kind: 'poisoned', state: 'failed', attempt: 2, detail: { crashes: 1 } },
      { kind: 'finished', state: 'failed', detail: { reason: 'poison' } },
    ]);
  });

  it('tells of a sweeper that ends what was asked to stop, and of one that blames nobody', async () => {
    const store = current();
    const [gone, stopped] = [await store.hire(), await store.hire()];
    const [asked, left] = await store.addMany(2);
    await store.claim(gone, asked!.id);
    await store.canceller.cancel('acme', asked!.id, 'someone');
    await store.claim(stopped, left!.id);
    await store.bury(gone);
    await store.workers.stop(stopped);
    await store.sweeper.takeBack();
    expect((await tell(store, asked!.id)).slice(2)).toEqual([
      { kind: 'cancel_requested', attempt: 1, actor: 'someone', detail: { from: 'running' } },
      ...lost(1, gone),
      { kind: 'cancelled', state: 'cancelled', detail: { from: 'running' } },
      { kind: 'finished', state: 'cancelled' },
    ]);
    expect((await tell(store, left!.id)).at(-1)).toMatchObject({ kind: 'taken_back', detail: { crashed: false } });
  });

  it.each([
    ['expire', 'expired', 'expired', undefined, undefined],
    ['deadline', 'deadline_passed', 'failed', 'deadline_exceeded', 'deadline-exceeded'],
    ['unhandled', 'unhandled', 'failed', 'unknown_handler', 'unknown-handler'],
  ] as const)('tells an end that no worker made as nobody’s run: %s', async (kind, told, state, reason, code) => {
    const store = current();
    const worker = await store.hire({ handlers: [] });
    const lacks = { kind: 'released', delayMs: HOUR_MS, error: OOPS, unhandled: true } as const;
    const { id } = await store.finish(worker, lacks, { expiresAt: Date.now() + HOUR_MS, deadlineMs: HOUR_MS });
    await store.makeDue(id, kind);
    await store.expirer.expire(kind);
    expect(await tell(store, id)).toEqual([
      { kind: 'submitted', state: 'queued', actor: 'tester' },
      started(1, worker),
      ended(1, worker, 'released', { error: OOPS }),
      {
        ...{ kind: told, state, detail: { from: 'retrying' } },
        ...(code !== undefined && { error: { code, message: expect.any(String) as unknown } }),
      },
      { kind: 'finished', state, ...(reason !== undefined && { detail: { reason } }) },
    ]);
  });

  it('keeps to the order of causes also where all of it happened within one millisecond', async () => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add({ delayMs: HOUR_MS });
    await promote(store, id, 'scheduled');
    await store.settle(worker, await store.claim(worker, id), FAILED);
    await store.discarder.discard('acme', id, 'someone');
    await store.retrier.retry('acme', id, 'someone');
    await crash(store, id, false);
    await store.settle(worker, await store.claim(worker, id), { kind: 'fallback', error: OOPS, timedOut: false, from: 'a', to: 'b' });
    const running = await store.claim(worker, id);
    await store.canceller.cancel('acme', id, 'someone');
    await store.settle(worker, running, { kind: 'released', delayMs: 0, error: null, unhandled: false });
    const before = await tell(store, id);
    expect(before.map(({ kind }) => kind)).toEqual([
      ...['submitted', 'promoted', 'started', 'ended', 'discarded', 'retried', 'started', 'ended', 'taken_back'],
      ...['started', 'ended', 'fell_back', 'started', 'cancel_requested', 'ended', 'finished'],
    ]);
    const { created_at: at } = await store.row(id);
    const moment = Number(at);
    await store.raw.execute(sql`UPDATE tasks SET finished_at = ${moment}, updated_at = ${moment}`);
    await store.raw.execute(sql`UPDATE attempts SET started_at = ${moment}, finished_at = ${moment}`);
    await store.raw.execute(sql`UPDATE task_events SET at = ${moment}`);
    expect(await tell(store, id)).toEqual(before);
    // And where the clock was set back between two rounds.
    await store.raw.execute(sql`UPDATE attempts SET started_at = ${moment - 5_000}, finished_at = ${moment - 5_000} WHERE attempt = 2`);
    const { items } = await store.timeline.of('acme', id);
    expect(items.map(({ kind }) => kind)).toEqual(before.map(({ kind }) => kind));
  });

  it('knows which of a retry and an end came last within one millisecond', async () => {
    const store = current();
    const [open, over] = await store.addMany(2);
    for (const { id } of [open!, over!]) {
      await store.canceller.cancel('acme', id, 'someone');
      await store.retrier.retry('acme', id, 'someone');
    }
    await store.raw.execute(sql`DELETE FROM task_events WHERE task_id = ${bytesOf(over!.id)} AND kind = 'cancelled'`);
    await store.canceller.cancel('acme', over!.id, 'someone');
    for (const { id } of [open!, over!]) {
      const { created_at: at } = await store.row(id);
      await store.raw.execute(sql`UPDATE task_events SET at = ${Number(at)} WHERE task_id = ${bytesOf(id)}`);
    }
    expect((await tell(store, open!.id)).map(({ kind }) => kind)).toEqual(['submitted', 'cancelled', 'retried']);
    expect((await tell(store, over!.id)).map(({ kind }) => kind)).toEqual(['submitted', 'retried', 'cancelled', 'finished']);
  });

  it('tells a run that is under way once, also when it ends while the timeline is read', async () => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add();
    const claimed = await store.claim(worker, id);
    // After the task's row was read, and before its attempts are.
    store.database.interrupt(['query'], () => Promise.resolve());
    store.database.interrupt(['query'], () => store.settle(worker, claimed, { kind: 'succeeded', result: '1' }));
    expect((await tell(store, id)).map(({ kind }) => kind)).toEqual(['submitted', 'started', 'ended']);
  });

  it('is bounded, and says so', async () => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add();
    for (let attempt = 1; attempt <= 520; attempt += 40) {
      const numbers = Array.from({ length: 40 }, (_, index) => attempt + index);
      await store.raw.batch(
        numbers.map(
          (number) =>
            sql`INSERT INTO attempts (task_id, attempt, outcome, worker_id, started_at, finished_at, error_code, error_message, result) VALUES (${bytesOf(id)}, ${number}, 'released', ${worker}, ${number}, ${number}, '', '', NULL)`,
        ),
      );
    }
    await store.raw.execute(sql`UPDATE tasks SET attempt = 520`);
    const { items, truncated } = await store.timeline.of('acme', id);
    expect([items.length, truncated]).toEqual([1_000, true]);
    expect(items[0]).toMatchObject({ kind: 'started', attempt: 21 });
    expect(items.at(-1)).toMatchObject({ kind: 'ended', attempt: 520 });
  });

  it('is nothing to other tenants', async () => {
    const store = current();
    const { id } = await store.add();
    for (const [tenant, wanted] of [
      ['other', id],
      ['acme', 'nonsense'],
      ['acme', '0198e0c8-0000-7000-8000-000000000000'],
    ] as const)
      await expect(store.timeline.of(tenant, wanted)).rejects.toBeInstanceOf(NotFound);
  });

  it('tells of no host: that takes the scope for workers', async () => {
    const store = current();
    const worker = await store.hire({ host: 'a-host-of-its-own' });
    const { id } = await store.finish(worker, FAILED);
    expect(JSON.stringify(await tell(store, id))).not.toContain('a-host-of-its-own');
  });
});

onEveryStore('an event', (current) => {
  it.each(['promote', 'expire', 'sweep', 'settle'] as const)('is told with its move or not at all: %s', async (how) => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add({ delayMs: how === 'promote' ? HOUR_MS : null, expiresAt: Date.now() + HOUR_MS });
    if (how === 'promote') await store.makeDue(id, 'run');
    if (how === 'expire') await store.makeDue(id, 'expire');
    const claimed = how === 'sweep' || how === 'settle' ? await store.claim(worker, id) : null;
    if (how === 'sweep') await store.bury(worker);
    const moves = {
      promote: () => store.promoter.promote(),
      expire: () => store.expirer.expire('expire'),
      sweep: () => store.sweeper.takeBack(),
      settle: () => store.settle(worker, claimed!, { kind: 'crashed', poison: true, error: OOPS }),
    };
    const before = await tell(store, id);
    store.database.loseCommit();
    // The settlement tries again by itself; the loops do at their next turn.
    if (how !== 'settle') {
      await expect(moves[how]()).rejects.toMatchObject({ kind: 'unavailable' });
      expect(await tell(store, id)).toEqual(before);
    }
    await moves[how]();
    const kind = { promote: 'promoted', expire: 'expired', sweep: 'taken_back', settle: 'poisoned' }[how];
    expect((await tell(store, id)).filter((item) => item.kind === kind)).toHaveLength(1);
  });
});
