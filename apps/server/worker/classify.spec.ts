import { describe, expect, it } from '@jest/globals';
import type { ClaimedTask } from '@app/tasks';
import { DeferError } from '@app/handlers';
import { classify, type Circumstances, type Ending, type StopReason } from './classify.js';

const task: ClaimedTask = {
  id: '01890000-0000-7000-8000-000000000000',
  bytes: Buffer.alloc(16, 1),
  tenant: 'acme',
  queue: 'default',
  lane: 'normal',
  name: 'work',
  attempt: 3,
  failures: 1,
  crashes: 0,
  snoozes: 0,
  fallbacks: 0,
  maxAttempts: 0,
  timeoutMs: 0,
  retry: null,
  payload: 'null',
  startedAt: 1,
  deadlineAt: 0,
  createdAt: 1,
};

const circumstances = (more: Partial<Circumstances> = {}): Circumstances => ({
  task,
  handler: { name: 'work' },
  retry: () => ({ maxAttempts: 5, backoff: 'exponential', baseMs: 100, maxMs: 10_000, jitter: 0 }),
  resultBytesMax: 100,
  snoozesMax: 10,
  timeoutMs: 500,
  random: () => 0,
  ...more,
});

const returned: Ending = { kind: 'returned', value: { ok: true } };
const threw = (thrown: unknown): Ending => ({ kind: 'threw', thrown });
const ignored: Ending = { kind: 'ignored' };

describe('classify', () => {
  it('takes a returned value as success', () => {
    expect(classify(returned, null, circumstances())).toEqual({ kind: 'succeeded', result: '{"ok":true}' });
    expect(classify({ kind: 'returned', value: undefined }, null, circumstances())).toEqual({ kind: 'succeeded', result: 'null' });
  });

  it('fails for good what cannot be stored as a result', () => {
    const cyclic: Record<string, unknown> = {};
    cyclic['self'] = cyclic;
    for (const value of [cyclic, 10n, 'x'.repeat(101)]) {
      expect(classify({ kind: 'returned', value }, null, circumstances())).toMatchObject({
        kind: 'failed',
        reason: 'permanent_error',
        timedOut: false,
      });
    }
  });

  it('tries again after a pause that grows with the failures', () => {
    expect(classify(threw(new Error('no')), null, circumstances())).toMatchObject({
      kind: 'retry',
      delayMs: 200,
      timedOut: false,
      error: { message: 'no' },
    });
    const wished = Object.assign(new Error('later'), { retryAfterMs: 7_000 });
    expect(classify(threw(wished), null, circumstances())).toMatchObject({ kind: 'retry', delayMs: 7_000 });
  });

  it('gives up when the budget is used, or when trying again is pointless', () => {
    const last = circumstances({ task: { ...task, failures: 4 } });
    expect(classify(threw(new Error('no')), null, last)).toMatchObject({ kind: 'failed', reason: 'attempts_exhausted' });
    const pointless = Object.assign(new Error('never'), { retryable: false });
    expect(classify(threw(pointless), null, circumstances())).toMatchObject({ kind: 'failed', reason: 'permanent_error' });
  });

  it('counts a timeout as a failure whatever the handler did afterwards', () => {
    for (const ending of [returned, threw(new Error('aborted')), ignored]) {
      expect(classify(ending, 'timeout', circumstances())).toMatchObject({ kind: 'retry', timedOut: true, error: { code: 'timeout' } });
    }
    const told = threw(Object.assign(new Error('The program was ended by SIGKILL.'), { code: 'process-stopped' }));
    expect(classify(told, 'timeout', circumstances())).toMatchObject({
      error: { message: expect.stringMatching(/stopped\. The program was/) },
    });
    const last = circumstances({ task: { ...task, failures: 4 } });
    expect(classify(ignored, 'timeout', last)).toMatchObject({ kind: 'failed', reason: 'attempts_exhausted', timedOut: true });
  });

  it('ends the task at its deadline and at a cancel, whatever the handler did', () => {
    for (const ending of [returned, threw(new Error('aborted')), ignored]) {
      expect(classify(ending, 'deadline', circumstances())).toMatchObject({ kind: 'failed', reason: 'deadline_exceeded', timedOut: true });
      expect(classify(ending, 'cancel', circumstances())).toEqual({ kind: 'cancelled', error: null });
    }
  });

  it('keeps a success that made it before the stop, and gives back the rest without a failure', () => {
    expect(classify(returned, 'shutdown', circumstances())).toMatchObject({ kind: 'succeeded' });
    for (const ending of [threw(new Error('aborted')), ignored]) {
      expect(classify(ending, 'shutdown', circumstances())).toMatchObject({ kind: 'released', delayMs: 0, unhandled: false });
    }
  });

  it('puts off what asks for it, without a failure, with and without our class', () => {
    expect(classify(threw(new DeferError(1_500)), null, circumstances())).toEqual({ kind: 'snoozed', delayMs: 1_500 });
    const own = Object.assign(new Error('later'), { name: 'DeferError', delayMs: 0.2 });
    expect(classify(threw(own), null, circumstances())).toEqual({ kind: 'snoozed', delayMs: 1 });
    const long = new DeferError(Number.POSITIVE_INFINITY);
    expect(classify(threw(long), null, circumstances())).toEqual({ kind: 'snoozed', delayMs: 2_592_000_000 });
    const lastFailure = circumstances({ task: { ...task, failures: 4 } });
    expect(classify(threw(new DeferError(1)), null, lastFailure)).toMatchObject({ kind: 'snoozed' });
  });

  it('takes a pause that is no number of ms for an ordinary failure', () => {
    for (const delayMs of [-1, Number.NaN]) {
      expect(classify(threw(new DeferError(delayMs)), null, circumstances())).toMatchObject({ kind: 'retry' });
    }
  });

  it('ends a task that was put off as often as it may be', () => {
    const before = circumstances({ task: { ...task, snoozes: 9 } });
    expect(classify(threw(new DeferError(1)), null, before)).toMatchObject({ kind: 'snoozed' });
    const after = circumstances({ task: { ...task, snoozes: 10 } });
    expect(classify(threw(new DeferError(1)), null, after)).toMatchObject({
      kind: 'failed',
      reason: 'attempts_exhausted',
      error: { code: 'snoozed-too-often' },
    });
  });

  it('lets a stop that came first win over a handler that puts its task off', () => {
    const ending = threw(new DeferError(1));
    expect(classify(ending, 'timeout', circumstances())).toMatchObject({ kind: 'retry', timedOut: true });
    expect(classify(ending, 'deadline', circumstances())).toMatchObject({ kind: 'failed', reason: 'deadline_exceeded' });
    expect(classify(ending, 'cancel', circumstances())).toMatchObject({ kind: 'cancelled' });
    expect(classify(ending, 'shutdown', circumstances())).toMatchObject({ kind: 'released' });
  });

  it('hands over to the fallback what would fail by the handler’s own doing, and nothing else', () => {
    const handler = { name: 'work', fallback: 'work.plain' };
    const takesOver = { kind: 'fallback', from: 'work', to: 'work.plain' };
    const last = circumstances({ handler, task: { ...task, failures: 4 } });
    expect(classify(threw(new Error('no')), null, last)).toMatchObject({ ...takesOver, timedOut: false, error: { message: 'no' } });
    expect(classify(ignored, 'timeout', last)).toMatchObject({ ...takesOver, timedOut: true });
    const early = circumstances({ handler });
    expect(classify(threw(Object.assign(new Error('never'), { retryable: false })), null, early)).toMatchObject(takesOver);
    expect(classify({ kind: 'returned', value: 10n }, null, early)).toMatchObject(takesOver);
    const putOff = circumstances({ handler, task: { ...task, snoozes: 10 } });
    expect(classify(threw(new DeferError(1)), null, putOff)).toMatchObject({ ...takesOver, error: { code: 'snoozed-too-often' } });
    expect(classify(threw(new Error('no')), null, early)).toMatchObject({ kind: 'retry' });
    expect(classify(ignored, 'deadline', early)).toMatchObject({ kind: 'failed', reason: 'deadline_exceeded' });
    expect(classify(ignored, 'cancel', last)).toMatchObject({ kind: 'cancelled' });
    expect(classify(ignored, 'shutdown', last)).toMatchObject({ kind: 'released' });
  });

  it('has a verdict for every ending and every reason', () => {
    const reasons: (StopReason | null)[] = ['timeout', 'deadline', 'cancel', 'shutdown', null];
    for (const reason of reasons) {
      for (const ending of [returned, threw(undefined), threw(null), threw('text')]) {
        expect(['succeeded', 'retry', 'failed', 'cancelled', 'released']).toContain(classify(ending, reason, circumstances()).kind);
      }
    }
  });
});
