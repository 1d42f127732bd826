/** What each verdict leaves behind: the whole row, one attempt row per claim, and the timers. */
import { expect, it } from '@jest/globals';
import { sql } from '@app/database';
import type { TaskError, Verdict } from '@app/tasks';
import { bytesOf, newTask, OOPS, UNHANDLED_GRACE_MS } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';
import { until } from '../../support/until.js';

const NOBODY = Buffer.alloc(16);
const LACKS: TaskError = { code: 'unknown-handler', message: 'This worker has no handler of this name.' };

interface Case {
  what: string;
  verdict: Verdict;
  /** What of the row changes besides the worker and the time of the change. */
  changes: Record<string, unknown>;
  attempt: Record<string, unknown>;
  ends: boolean;
  pauseMs?: number;
}

const nothing = { error_code: '', error_message: '', result: null };
const failed = { error_code: 'oops', error_message: 'It went wrong.', result: null };

const CASES: readonly Case[] = [
  {
    what: 'succeeded',
    verdict: { kind: 'succeeded', result: '{"é":[1,2]}' },
    changes: { state: 'succeeded', phase: 'succeeded' },
    attempt: { outcome: 'succeeded', ...nothing, result: '{"é":[1,2]}' },
    ends: true,
  },
  {
    what: 'failed, and may try again',
    verdict: { kind: 'retry', delayMs: 5_000, error: OOPS, timedOut: false },
    changes: { state: 'retrying', phase: 'waiting', failures: 1 },
    attempt: { outcome: 'failed', ...failed },
    ends: false,
    pauseMs: 5_000,
  },
  {
    what: 'timed out, and may try again at once',
    verdict: { kind: 'retry', delayMs: 0, error: OOPS, timedOut: true },
    changes: { state: 'retrying', phase: 'waiting', failures: 1 },
    attempt: { outcome: 'timed_out', ...failed },
    ends: false,
    pauseMs: 0,
  },
  {
    what: 'failed for good',
    verdict: { kind: 'failed', reason: 'permanent_error', error: OOPS, timedOut: false },
    changes: { state: 'failed', phase: 'failed', ended: 'failed', reason: 'permanent_error', failures: 1 },
    attempt: { outcome: 'failed', ...failed },
    ends: true,
  },
  {
    what: 'timed out for the last time',
    verdict: { kind: 'failed', reason: 'attempts_exhausted', error: OOPS, timedOut: true },
    changes: { state: 'failed', phase: 'failed', ended: 'failed', reason: 'attempts_exhausted', failures: 1 },
    attempt: { outcome: 'timed_out', ...failed },
    ends: true,
  },
  {
    what: 'cancelled',
    verdict: { kind: 'cancelled', error: null },
    changes: { state: 'cancelled', phase: 'cancelled', ended: 'cancelled' },
    attempt: { outcome: 'cancelled', ...nothing },
    ends: true,
  },
  {
    what: 'given back',
    verdict: { kind: 'released', delayMs: 0, error: null, unhandled: false },
    changes: { state: 'queued', phase: 'unrung', rung_at: 0 },
    attempt: { outcome: 'released', ...nothing },
    ends: false,
  },
  {
    what: 'given back for later',
    verdict: { kind: 'released', delayMs: 3_000, error: LACKS, unhandled: true },
    changes: { state: 'retrying', phase: 'waiting' },
    attempt: { outcome: 'released', error_code: LACKS.code, error_message: LACKS.message, result: null },
    ends: false,
    pauseMs: 3_000,
  },
];

onEveryStore('settling', (current) => {
  it.each(CASES)('records a task that $what', async ({ verdict, changes, attempt, ends, pauseMs }) => {
    const store = current();
    const worker = await store.hire();
    const added = await store.add({ priority: 2, tags: ['t'] });
    const claimed = await store.claim(worker, added.id);
    const before = await store.row(added.id);
    expect(await store.settle(worker, claimed, verdict)).toBe('settled');
    const after = await store.row(added.id);
    const changedAt = after['updated_at'] as number;
    expect(changedAt).toBeGreaterThanOrEqual(before['updated_at'] as number);
    const runAt = pauseMs !== undefined ? changedAt + pauseMs : after.state === 'queued' ? changedAt : before['run_at'];
    expect(after).toEqual({
      ...before,
      ...changes,
      worker_id: NOBODY,
      updated_at: changedAt,
      run_at: runAt,
      finished_at: ends ? changedAt : 0,
    });
    expect(await store.attempts(added.id)).toEqual([{ attempt: 1, worker_id: worker, ...attempt }]);
    const timers = await store.timers(added.id);
    expect(Object.keys(timers).sort()).toEqual(pauseMs === undefined ? [] : verdict.kind === 'released' ? ['run', 'unhandled'] : ['run']);
    if (pauseMs !== undefined) expect(timers['run']! - (runAt as number)).toBeLessThan(1_000);
    const [times] = await store.raw.query<{ started_at: number; finished_at: number }>(sql`SELECT started_at, finished_at FROM attempts`);
    expect(times).toMatchObject({ started_at: claimed.startedAt });
    expect(times!.finished_at).toBeGreaterThanOrEqual(claimed.startedAt);
  });

  it('rings for a task that was given back, and for no other', async () => {
    const store = current();
    store.doorbell.window = 'shut';
    const worker = await store.hire();
    const added = await store.addMany(CASES.length);
    await Promise.all(added.map(async ({ id }, index) => store.settle(worker, await store.claim(worker, id), CASES[index]!.verdict)));
    await until(() => store.doorbell.rung.length > 0);
    const given = CASES.findIndex(({ what }) => what === 'given back');
    expect(store.doorbell.rung).toEqual([bytesOf(added[given]!.id).toString('hex')]);
  });

  it('settles many verdicts of every kind in few transactions', async () => {
    const store = current();
    const worker = await store.hire();
    const added = await store.addMany(160);
    const claimed = await store.claimer.claim(
      worker,
      added.map(({ id }) => bytesOf(id)),
    );
    store.database.reset();
    const results = await Promise.all(claimed.map((task, index) => store.settle(worker, task, CASES[index % CASES.length]!.verdict)));
    expect(new Set(results)).toEqual(new Set(['settled']));
    expect(store.database.counts.transaction).toBeLessThanOrEqual(3);
    expect(await store.count(sql`attempts`)).toBe(160);
    expect(await store.count(sql`tasks WHERE state = 'succeeded'`)).toBe(20);
  });

  it('settles attempts of several workers and numbers together', async () => {
    const store = current();
    const workers = [await store.hire(), await store.hire()];
    const added = await store.addMany(12);
    const settlements = await Promise.all(
      added.map(async ({ id }, index) => {
        const worker = workers[index % 2]!;
        for (let round = 0; round < index % 3; round += 1)
          await store.settle(worker, await store.claim(worker, id), { kind: 'released', delayMs: 0, error: null, unhandled: false });
        return { worker, task: await store.claim(worker, id), verdict: { kind: 'succeeded', result: `${index}` } as const };
      }),
    );
    expect(await Promise.all(settlements.map((settlement) => store.settler.settle(settlement)))).toEqual(added.map(() => 'settled'));
    for (const [index, { id }] of added.entries()) {
      expect(await store.reader.get('acme', id)).toMatchObject({ state: 'succeeded', attempt: (index % 3) + 1, result: index });
    }
  });

  it('starts the grace period of a missing handler once', async () => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add({ name: 'unheard.of' });
    const giveBack = { kind: 'released', delayMs: 1, error: LACKS, unhandled: true } as const;
    await store.settle(worker, await store.claim(worker, id), giveBack);
    const first = await store.timers(id);
    expect(first['unhandled']! - (await store.now())).toBeGreaterThan(UNHANDLED_GRACE_MS - 5_000);
    await store.raw.execute(sql`UPDATE timers SET due_at = due_at - 1000 WHERE kind = 'unhandled'`);
    await store.makeDue(id, 'run');
    await store.promoter.promote();
    await store.settle(worker, await store.claim(worker, id), giveBack);
    expect((await store.timers(id))['unhandled']).toBe(first['unhandled']! - 1_000);
  });

  it('lets a retry wait for its own time, where the timer of its first start is still there', async () => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add({ runAt: 1_000 });
    const claimed = await store.claim(worker, id);
    expect(await store.timers(id)).toEqual({ run: 1_000 });
    await store.settle(worker, claimed, { kind: 'retry', delayMs: 60_000, error: OOPS, timedOut: false });
    expect((await store.timers(id))['run']).toBeGreaterThan(await store.now());
    expect(await store.promoter.promote()).toMatchObject({ taken: 0 });
  });

  it('counts failures, and neither releases nor successes', async () => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add();
    const rounds: Verdict[] = [CASES[1]!.verdict, CASES[6]!.verdict, CASES[2]!.verdict, CASES[0]!.verdict];
    for (const verdict of rounds) {
      await store.settle(worker, await store.claim(worker, id), verdict);
      await store.makeDue(id, 'run');
      await store.promoter.promote();
    }
    expect(await store.reader.get('acme', id)).toMatchObject({ state: 'succeeded', attempt: 4, failures: 2, crashes: 0 });
    expect((await store.attempts(id)).map(({ outcome }) => outcome)).toEqual(['failed', 'released', 'timed_out', 'succeeded']);
  });

  it('shows result and last error as the reader tells them', async () => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add();
    await store.settle(worker, await store.claim(worker, id), CASES[1]!.verdict);
    expect(await store.reader.get('acme', id)).toMatchObject({ state: 'retrying', lastError: OOPS, result: null, failures: 1 });
    await store.makeDue(id, 'run');
    await store.promoter.promote();
    await store.settle(worker, await store.claim(worker, id), CASES[0]!.verdict);
    const view = await store.reader.get('acme', id);
    expect(view).toMatchObject({ state: 'succeeded', result: { é: [1, 2] }, lastError: OOPS });
    expect(view.startedAt).toBeGreaterThanOrEqual(view.createdAt);
    expect(view.finishedAt).toBeGreaterThanOrEqual(view.startedAt!);
    expect(await store.reader.attempts('acme', id)).toMatchObject([
      { attempt: 1, outcome: 'failed', error: OOPS, result: null },
      { attempt: 2, outcome: 'succeeded', error: null, result: { é: [1, 2] } },
    ]);
  });
});

onEveryStore('a cancel request', (current) => {
  it.each([
    ['succeeded', 'succeeded', CASES[0]!.verdict],
    ['retry', 'cancelled', CASES[1]!.verdict],
    ['failed', 'failed', CASES[3]!.verdict],
    ['cancelled', 'cancelled', CASES[5]!.verdict],
    ['released', 'cancelled', CASES[6]!.verdict],
    ['released for later', 'cancelled', CASES[7]!.verdict],
  ] as const)('meets the outcome %s, and the task ends as %s', async (_what, state, verdict) => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add();
    const claimed = await store.claim(worker, id);
    expect(await store.canceller.cancel('acme', id, 'someone')).toMatchObject({ state: 'running', cancelRequested: true });
    expect(await store.canceller.requestedOf(worker)).toEqual([bytesOf(id)]);
    expect(await store.settle(worker, claimed, verdict)).toBe('settled');
    expect(await store.reader.get('acme', id)).toMatchObject({ state, cancelRequested: false, finishedAt: expect.any(Number) });
    expect(await store.attempts(id)).toMatchObject([{ outcome: state }]);
    expect(Object.keys(await store.timers(id))).toEqual([]);
    expect(store.doorbell.rung.length).toBeLessThanOrEqual(1);
  });

  it('of one task leaves its neighbours in the group alone', async () => {
    const store = current();
    const worker = await store.hire();
    const added = await store.addMany(3);
    const claimed = await store.claimer.claim(
      worker,
      added.map(({ id }) => bytesOf(id)),
    );
    await store.canceller.cancel('acme', claimed[1]!.id, 'someone');
    await Promise.all(claimed.map((task) => store.settle(worker, task, CASES[1]!.verdict)));
    const states = await Promise.all(claimed.map(async ({ id }) => (await store.row(id)).state));
    expect(states).toEqual(['retrying', 'cancelled', 'retrying']);
  });

  it('asked twice is one request', async () => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add();
    await store.claim(worker, id);
    await store.canceller.cancel('acme', id, 'one');
    await store.canceller.cancel('acme', id, 'other');
    expect(await store.canceller.requestedOf(worker)).toEqual([bytesOf(id)]);
    expect(await store.submitter.submit(newTask())).toMatchObject({ replayed: false });
  });
});
