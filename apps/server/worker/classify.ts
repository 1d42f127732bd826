/**
 * The one place where what a handler did becomes a verdict. Whatever it returned or threw, and whatever was asked of it
 * meanwhile, ends as exactly one of: succeeded, retry at, failed, cancelled, released.
 */
import { describeFailure, serialiseResult } from '@app/handlers';
import type { ClaimedTask, TaskError, Verdict } from '@app/tasks';
import { retryDelay, type RetryDefaults } from './backoff.js';

/** Why an attempt was told to stop. */
export type StopReason = 'timeout' | 'deadline' | 'cancel' | 'shutdown';

/** How the handler ended: it returned, it threw, or it ignored the signal until its grace was over. */
export type Ending = { kind: 'returned'; value: unknown } | { kind: 'threw'; thrown: unknown } | { kind: 'ignored' };

export interface Circumstances {
  task: ClaimedTask;
  retry: RetryDefaults;
  resultBytesMax: number;
  timeoutMs: number;
  /** 0 ≤ random < 1 */
  random: number;
}

export function classify(ending: Ending, stop: StopReason | null, circumstances: Circumstances): Verdict {
  switch (stop) {
    case 'cancel':
      return { kind: 'cancelled', error: null };
    case 'deadline':
      return {
        kind: 'failed',
        reason: 'deadline_exceeded',
        timedOut: true,
        error: { code: 'deadline-exceeded', message: 'The task did not succeed before its deadline.' },
      };
    case 'timeout': {
      const message = `The attempt ran longer than ${circumstances.timeoutMs} ms and was stopped.`;
      return again({ code: 'timeout', message }, null, true, circumstances);
    }
    case 'shutdown':
      // What was finished in time counts; the rest is given back without a failure.
      if (ending.kind === 'returned') return returned(ending.value, circumstances);
      return {
        kind: 'released',
        delayMs: 0,
        unhandled: false,
        error: { code: 'worker-stopping', message: 'The worker was stopped and gave the task back.' },
      };
    case null:
      return withoutStop(ending, circumstances);
  }
}

function withoutStop(ending: Ending, circumstances: Circumstances): Verdict {
  if (ending.kind === 'returned') return returned(ending.value, circumstances);
  if (ending.kind === 'ignored') throw new Error('a handler that nobody stopped cannot have ignored it');
  const { permanent, retryAfterMs, code, message } = describeFailure(ending.thrown);
  if (permanent) return { kind: 'failed', reason: 'permanent_error', timedOut: false, error: { code, message } };
  return again({ code, message }, retryAfterMs, false, circumstances);
}

function returned(value: unknown, { resultBytesMax }: Circumstances): Verdict {
  const result = serialiseResult(value, resultBytesMax);
  if (result.ok) return { kind: 'succeeded', result: result.json };
  // Running it again would make the same result again.
  return { kind: 'failed', reason: 'permanent_error', timedOut: false, error: { code: result.code, message: result.message } };
}

function again(error: TaskError, retryAfterMs: number | null, timedOut: boolean, { task, retry, random }: Circumstances): Verdict {
  const failures = task.failures + 1;
  if (failures >= retry.maxAttempts) return { kind: 'failed', reason: 'attempts_exhausted', timedOut, error };
  return { kind: 'retry', delayMs: retryAfterMs ?? retryDelay(retry, failures, random), timedOut, error };
}
