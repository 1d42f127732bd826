import { describe, expect, it } from '@jest/globals';
import type { ClaimedTask } from '@app/tasks';
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
  retry: { maxAttempts: 5, backoff: 'exponential', baseMs: 100, maxMs: 10_000, jitter: 0 },
  resultBytesMax: 100,
  timeoutMs: 500,
  random: 0,
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

  it('has a verdict for every ending and every reason', () => {
    const reasons: (StopReason | null)[] = ['timeout', 'deadline', 'cancel', 'shutdown', null];
    for (const reason of reasons) {
      for (const ending of [returned, threw(undefined), threw(null), threw('text')]) {
        expect(['succeeded', 'retry', 'failed', 'cancelled', 'released']).toContain(classify(ending, reason, circumstances()).kind);
      }
    }
  });
});
