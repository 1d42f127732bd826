/** What a handler asks of the platform while it runs: checkpoints that later attempts find, pauses, and others to take over. */
import { beforeEach, expect, it, jest } from '@jest/globals';
import { sql } from '@app/database';
import type { HandlerDefinition, TaskContext } from '@app/handlers';
import { HandlerBench } from '../../support/handler-bench.js';
import { onEveryStore } from '../../support/store-suite.js';
import { until } from '../../support/until.js';

const HOUR_MS = 3_600_000;
const ENV = { CHECKPOINT_MAX_BYTES: '1024', SNOOZES_MAX: '2', WORKER_ABORT_GRACE_MS: '100', RETRY_MAX_ATTEMPTS: '3', RETRY_BASE_MS: '10' };

onEveryStore('a handler', (current) => {
  let bench: HandlerBench;

  beforeEach(async () => {
    bench = await HandlerBench.set(current(), ENV);
  });

  it('goes on from the last checkpoint, whichever way the attempt before ended', async () => {
    const seen: unknown[] = [];
    bench.handle({
      name: 'steps',
      async run(_payload, context) {
        const at = (context.lastCheckpoint as { step: number } | null)?.step ?? 0;
        seen.push(at);
        await context.checkpoint({ step: at + 1 });
        if (at === 0) throw new Error('once more');
        if (at === 1) context.snooze(5);
        return at;
      },
    });
    const id = await bench.runAll({ name: 'steps' });
    expect(seen).toEqual([0, 1, 2]);
    expect((await current().attempts(id)).map(({ outcome }) => outcome)).toEqual(['failed', 'snoozed', 'succeeded']);
  });

  it('is told why a checkpoint cannot be saved, and fails for good where it does not care', async () => {
    bench.handle({ name: 'large', run: (_payload, context) => context.checkpoint('x'.repeat(2_000)) });
    bench.handle({ name: 'wrong', run: (_payload, context) => context.checkpoint({ count: 10n }) });
    const codes = ['large', 'wrong'].map(
      async (name) => (await current().reader.get('acme', await bench.runAll({ name }))).lastError?.code,
    );
    expect(await Promise.all(codes)).toEqual(['checkpoint-too-large', 'checkpoint-not-serialisable']);
  });

  it('finds the last of many checkpoints that it did not wait for', async () => {
    let found: unknown;
    bench.handle({
      name: 'hasty',
      async run(_payload, context) {
        found = context.lastCheckpoint;
        if (context.attempt > 1) return;
        const saves = Array.from({ length: 40 }, (_, step) => context.checkpoint(step));
        await Promise.all(saves);
        throw new Error('once more');
      },
    });
    await bench.runAll({ name: 'hasty' });
    expect(found).toBe(39);
    expect(current().database.counts.execute).toBeLessThan(20);
  });

  it('saves null for undefined, which is no checkpoint', async () => {
    const found: unknown[] = [];
    bench.handle({
      name: 'shy',
      async run(_payload, context) {
        found.push(context.lastCheckpoint);
        if (context.attempt === 3) return;
        await context.checkpoint(context.attempt === 1 ? 1 : undefined);
        throw new Error('once more');
      },
    });
    await bench.runAll({ name: 'shy' });
    expect(found).toEqual([null, 1, null]);
  });

  it('is tried again where a checkpoint could not be stored', async () => {
    bench.handle({ name: 'cut', run: (_payload, context) => context.checkpoint(1) });
    const { id } = await current().add({ name: 'cut' });
    current().database.beAway(1, ['execute']);
    await bench.attempt(id);
    expect(await current().row(id)).toMatchObject({ failures: 1 });
    expect(await current().attempts(id)).toMatchObject([{ outcome: 'failed', error_code: 'not-stored' }]);
  });

  it('that goes on after its end is refused everything, and ends no process by it', async () => {
    const late: Promise<unknown>[] = [];
    let goOn: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => (goOn = resolve));
    bench.handle({
      name: 'deaf',
      timeoutMs: 20,
      onAbandon: () => undefined,
      async run(_payload, context) {
        const lease = await context.registerResource('vm', '7');
        await ended;
        late.push(context.checkpoint(1), context.registerResource('vm', '8'), lease.release());
        void context.checkpoint(2);
        await context.progress(0.5);
      },
    });
    const { id } = await current().add({ name: 'deaf' });
    await bench.attempt(id);
    goOn();
    await until(() => late.length === 3, { what: 'the handler to go on' });
    for (const refused of await Promise.allSettled(late)) {
      expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'attempt-over' } });
    }
    expect(await current().count(sql`task_checkpoints`)).toBe(0);
    expect(await current().count(sql`task_resources`)).toBe(1);
    await current().raw.execute(sql`DELETE FROM task_progress`);
  });

  it('that puts its task off too often fails', async () => {
    bench.handle({ name: 'later', run: (_payload, context) => context.snooze(0) });
    const id = await bench.runAll({ name: 'later' });
    expect(await current().row(id)).toMatchObject({ state: 'failed', reason: 'attempts_exhausted', snoozes: 2, failures: 1 });
    expect((await current().attempts(id)).map(({ outcome, error_code: code }) => [outcome, code])).toEqual([
      ['snoozed', ''],
      ['snoozed', ''],
      ['failed', 'snoozed-too-often'],
    ]);
  });

  it('hands over to its fallbacks, each with its own policy, timeout and checkpoints, and the same payload', async () => {
    const seen: unknown[] = [];
    const note = (who: string, { attempt: number, failures, primaryError, lastCheckpoint, deadline }: TaskContext, payload: unknown) => {
      const inMs = deadline.getTime() - Date.now();
      seen.push({ who, number, failures, primary: primaryError?.code ?? null, lastCheckpoint, payload, short: inMs < 30_000 });
    };
    const failing = (name: string, fallback: string, maxAttempts?: number): HandlerDefinition => ({
      name,
      fallback,
      timeoutMs: 60_000,
      ...(maxAttempts === undefined ? {} : { retry: { maxAttempts, baseMs: 0 } }),
      async run(payload, context) {
        note(name, context, payload);
        await context.checkpoint(name);
        throw Object.assign(new Error('no'), { code: `${name}-failed`, ...(name === 'second' ? { retryable: false } : {}) });
      },
    });
    bench.handle(failing('first', 'second', 5));
    bench.handle(failing('second', 'third'));
    bench.handle(failing('third', 'last', 2));
    bench.handle({
      name: 'last',
      run: (payload, context) => {
        note('last', context, payload);
        return 'done';
      },
    });
    bench.registry.complete();
    const id = await bench.runAll({ name: 'first', payload: '{"n":1}', maxAttempts: 2, timeoutMs: 20_000 });
    const payload = { n: 1 };
    expect(seen).toEqual([
      { who: 'first', number: 1, failures: 0, primary: null, lastCheckpoint: null, payload, short: true },
      { who: 'first', number: 2, failures: 1, primary: null, lastCheckpoint: 'first', payload, short: true },
      { who: 'second', number: 3, failures: 0, primary: 'first-failed', lastCheckpoint: null, payload, short: false },
      { who: 'third', number: 4, failures: 0, primary: 'second-failed', lastCheckpoint: null, payload, short: false },
      { who: 'third', number: 5, failures: 1, primary: 'second-failed', lastCheckpoint: 'third', payload, short: false },
      { who: 'last', number: 6, failures: 0, primary: 'third-failed', lastCheckpoint: null, payload, short: false },
    ]);
    expect(await current().reader.get('acme', id)).toMatchObject({ state: 'succeeded', result: 'done', name: 'first', attempt: 6 });
  });

  it('starts with the primary again when an operator sends the task round', async () => {
    const ran: string[] = [];
    const failing = (name: string, fallback?: string): HandlerDefinition => ({
      name,
      ...(fallback === undefined ? {} : { fallback }),
      retry: { maxAttempts: 1 },
      run: () => {
        ran.push(name);
        throw Object.assign(new Error('no'), { code: name });
      },
    });
    bench.handle(failing('first', 'second'));
    bench.handle(failing('second'));
    const id = await bench.runAll({ name: 'first' });
    expect(await current().reader.get('acme', id)).toMatchObject({ state: 'failed', lastError: { code: 'second' } });
    await current().retrier.retry('acme', id, 'tester');
    await bench.attempt(id);
    expect(ran).toEqual(['first', 'second', 'first']);
  });

  it('has its own timeout from its start, and its task the deadline from the claim on', async () => {
    const deadlines: number[] = [];
    bench.handle({ name: 'timely', timeoutMs: 20_000, run: (_payload, { deadline }) => void deadlines.push(deadline.getTime()) });
    const startedAt: number[] = [];
    for (const [deadlineMs, waitedMs] of [
      [null, 10_000],
      [HOUR_MS, 10_000],
      [HOUR_MS, HOUR_MS - 5_000],
    ] as const) {
      const { id } = await current().add({ name: 'timely', payload: '""', deadlineMs });
      await bench.attempt(id, waitedMs);
      const row = await current().row(id);
      expect(row).toMatchObject({ state: 'succeeded' });
      startedAt.push(Number(deadlineMs === HOUR_MS && waitedMs > 10_000 ? row['deadline_at'] : row['started_at']));
    }
    expect(deadlines.map((deadline, index) => deadline - (startedAt[index] ?? 0))).toEqual([30_000, 30_000, 0]);
  });

  it('is not started where nothing is left of its task', async () => {
    let runs = 0;
    bench.handle({ name: 'late', run: () => void (runs += 1) });
    const { id } = await current().add({ name: 'late', deadlineMs: HOUR_MS });
    await bench.attempt(id, HOUR_MS);
    expect(await current().row(id)).toMatchObject({ state: 'failed', reason: 'deadline_exceeded' });
    expect(runs).toBe(0);
  });

  it('is kept away for a while where what it has left could not be read', async () => {
    const settle = jest.spyOn(current().settler, 'settle');
    bench.handle({
      name: 'again',
      run: () => {
        throw new Error('once more');
      },
    });
    const { id } = await current().add({ name: 'again' });
    await bench.attempt(id);
    current().database.beAway(1, ['query']);
    await bench.attempt(id);
    const [, second] = settle.mock.calls.map(([{ verdict }]) => verdict);
    settle.mockRestore();
    expect(second).toMatchObject({ kind: 'released', error: { code: 'not-inherited' } });
    expect(second).toHaveProperty('delayMs', expect.any(Number));
    expect(second?.kind === 'released' ? second.delayMs : 0).toBeGreaterThanOrEqual(2_000);
  });
});
