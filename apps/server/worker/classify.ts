/**
 * The one place where what a handler did becomes a verdict. Whatever it returned or threw, and whatever was asked of it
 * meanwhile, ends as exactly one of: succeeded, retry at, failed, cancelled, snoozed, released. Where it would end as failed by
 * the handler's own doing, and the handler names a fallback, the fallback takes over instead.
 */
import { describeFailure, serialiseResult, type HandlerDefinition, type RetryDefaults } from '@app/handlers';
import type { ClaimedTask, TaskError, Verdict } from '@app/tasks';
import { retryDelay } from './backoff.js';

/** With the sentence before it, a message may have 2,000 characters. */
const WORDS_MAX = 1_800;

/** Why an attempt was told to stop. */
export type StopReason = 'timeout' | 'deadline' | 'cancel' | 'shutdown';

/**
 * How the handler ended: it returned, it threw, it ignored the signal until its grace was over and goes on, or it was isolated
 * and ended by force.
 */
export type Ending = { kind: 'returned'; value: unknown } | { kind: 'threw'; thrown: unknown } | { kind: 'ignored' | 'killed' };

export interface Circumstances {
  task: ClaimedTask;
  handler: Pick<HandlerDefinition, 'name' | 'fallback'>;
  /** Asked only where it matters. */
  retry: () => RetryDefaults;
  resultBytesMax: number;
  /** How often a task may be put off. */
  snoozesMax: number;
  timeoutMs: number;
  /** 0 ≤ random() < 1 */
  random: () => number;
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
      const message = `The attempt ran longer than ${circumstances.timeoutMs} ms and was stopped.${lastWords(ending)}`;
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

/** What a handler that was stopped said about it, where it said more than that it was aborted. */
function lastWords(ending: Ending): string {
  if (ending.kind !== 'threw') return '';
  const { code, message } = describeFailure(ending.thrown);
  return code === 'handler-error' || code === 'ABORT_ERR' ? '' : ` ${message.slice(0, WORDS_MAX).replace(/[\uD800-\uDBFF]$/, '')}`;
}

function withoutStop(ending: Ending, circumstances: Circumstances): Verdict {
  if (ending.kind === 'returned') return returned(ending.value, circumstances);
  if (ending.kind !== 'threw') throw new Error('a handler that nobody stopped cannot have ignored it, or been killed');
  const { permanent, retryAfterMs, deferMs, code, message } = describeFailure(ending.thrown);
  if (permanent) return forGood('permanent_error', { code, message }, false, circumstances);
  if (deferMs !== null) return putOff(deferMs, circumstances);
  return again({ code, message }, retryAfterMs, false, circumstances);
}

function putOff(delayMs: number, circumstances: Circumstances): Verdict {
  const { task, snoozesMax } = circumstances;
  if (task.snoozes < snoozesMax) return { kind: 'snoozed', delayMs };
  const message = `The handler has put the task off ${task.snoozes} times, and wanted to do so once more.`;
  return forGood('attempts_exhausted', { code: 'snoozed-too-often', message }, false, circumstances);
}

function returned(value: unknown, circumstances: Circumstances): Verdict {
  const result = serialiseResult(value, circumstances.resultBytesMax);
  if (result.ok) return { kind: 'succeeded', result: result.json };
  // Running it again would make the same result again.
  return forGood('permanent_error', { code: result.code, message: result.message }, false, circumstances);
}

function again(error: TaskError, retryAfterMs: number | null, timedOut: boolean, circumstances: Circumstances): Verdict {
  const { task, random } = circumstances;
  const retry = circumstances.retry();
  const failures = task.failures + 1;
  if (failures >= retry.maxAttempts) return forGood('attempts_exhausted', error, timedOut, circumstances);
  return { kind: 'retry', delayMs: retryAfterMs ?? retryDelay(retry, failures, random()), timedOut, error };
}

/** The handler's own doing; whoever it names for this case takes over. */
function forGood(
  reason: 'attempts_exhausted' | 'permanent_error',
  error: TaskError,
  timedOut: boolean,
  { handler: { name, fallback } }: Circumstances,
): Verdict {
  if (fallback === undefined) return { kind: 'failed', reason, timedOut, error };
  return { kind: 'fallback', timedOut, error, from: name, to: fallback };
}
