/**
 * The statements of a settlement. Each moves rows away from `running` only where task, attempt and worker still match: if the
 * lease is not mine, I do not write. The attempt row is inserted once, here, with the result; the task row keeps its width.
 */
import { constant, type Dialect, join, list, NOBODY, rows, sql, type Sql } from '@app/database';
import type { ClaimedTask } from './claim.sql.js';
import type { AttemptOutcome, FailureReason } from './states.js';
import type { TaskError } from './task.js';
import { WORKER_LOST } from './worker-lost.js';

/** What became of an attempt. Pauses are in ms. */
export type Verdict =
  | { kind: 'succeeded'; result: string }
  | { kind: 'retry'; delayMs: number; error: TaskError; timedOut: boolean }
  | { kind: 'failed'; reason: FailureReason; error: TaskError; timedOut: boolean }
  | { kind: 'cancelled'; error: TaskError | null }
  /** Given back without a failure: the worker stops, or lacks the handler (`unhandled`). */
  | { kind: 'released'; delayMs: number; error: TaskError | null; unhandled: boolean }
  /** The handler asked to be called again later. Costs no failure; counted, so that it ends some day. */
  | { kind: 'snoozed'; delayMs: number }
  /** The handler failed for good, and the one that it names takes over, with a retry budget of its own. */
  | { kind: 'fallback'; error: TaskError; timedOut: boolean; from: string; to: string }
  /** It ended its worker's process, and the process could still say so. `poison`: once too often. */
  | { kind: 'crashed'; poison: boolean; error: TaskError };

export interface Settlement {
  worker: Buffer;
  task: ClaimedTask;
  verdict: Verdict;
}

/** Settlements of one worker and one attempt number: what one statement can move or find. */
export interface SameClaim {
  worker: Buffer;
  attempt: number;
  members: readonly Settlement[];
}

/** Moves all successes of one attempt number in one statement. `at`: when, by the database's clock. */
export function succeed(dialect: Dialect, worker: Buffer, attempt: number, ids: readonly Buffer[], at: Sql): Sql {
  const ordered = [...ids].sort(Buffer.compare);
  return sql`UPDATE tasks${dialect.byPrimary} SET state = 'succeeded', phase = 'succeeded', worker_id = ${NOBODY}, finished_at = ${at}, updated_at = ${at} WHERE id IN (${list(ordered)}) AND state = 'running' AND worker_id = ${worker} AND attempt = ${attempt}`;
}

/** Moves one task by any verdict. */
export function move(dialect: Dialect, { worker, task, verdict }: Settlement): Sql {
  const mine = sql`WHERE id = ${task.bytes} AND state = 'running' AND worker_id = ${worker} AND attempt = ${task.attempt}`;
  const { now } = dialect;
  switch (verdict.kind) {
    case 'succeeded':
      return succeed(dialect, worker, task.attempt, [task.bytes], now);
    case 'retry':
      return sql`UPDATE tasks SET state = 'retrying', phase = 'waiting', worker_id = ${NOBODY}, failures = failures + 1, run_at = ${now} + ${verdict.delayMs}, updated_at = ${now} ${mine}`;
    case 'failed':
      return sql`UPDATE tasks SET state = 'failed', phase = 'failed', ended = 'failed', reason = ${verdict.reason}, worker_id = ${NOBODY}, failures = failures + 1, finished_at = ${now}, updated_at = ${now} ${mine}`;
    case 'crashed':
      return verdict.poison
        ? sql`UPDATE tasks SET state = 'failed', phase = 'failed', ended = 'failed', reason = 'poison', worker_id = ${NOBODY}, crashes = crashes + 1, finished_at = ${now}, updated_at = ${now} ${mine}`
        : sql`UPDATE tasks SET state = 'queued', phase = 'unrung', worker_id = ${NOBODY}, crashes = crashes + 1, run_at = ${now}, rung_at = 0, updated_at = ${now} ${mine}`;
    case 'cancelled':
      return sql`UPDATE tasks SET state = 'cancelled', phase = 'cancelled', ended = 'cancelled', worker_id = ${NOBODY}, finished_at = ${now}, updated_at = ${now} ${mine}`;
    case 'snoozed':
      return sql`UPDATE tasks SET state = 'retrying', phase = 'waiting', worker_id = ${NOBODY}, snoozes = snoozes + 1, run_at = ${now} + ${verdict.delayMs}, updated_at = ${now} ${mine}`;
    case 'fallback':
      return sql`UPDATE tasks SET state = 'queued', phase = 'unrung', worker_id = ${NOBODY}, fallbacks = fallbacks + 1, failures = 0, crashes = 0, snoozes = 0, run_at = ${now}, rung_at = 0, updated_at = ${now} ${mine}`;
    case 'released':
      return verdict.delayMs > 0
        ? sql`UPDATE tasks SET state = 'retrying', phase = 'waiting', worker_id = ${NOBODY}, run_at = ${now} + ${verdict.delayMs}, updated_at = ${now} ${mine}`
        : sql`UPDATE tasks SET state = 'queued', phase = 'unrung', worker_id = ${NOBODY}, run_at = ${now}, rung_at = 0, updated_at = ${now} ${mine}`;
  }
}

/** Whether the task has ended with this attempt. */
export function ends(verdict: Verdict): boolean {
  switch (verdict.kind) {
    case 'succeeded':
    case 'failed':
    case 'cancelled':
      return true;
    case 'crashed':
      return verdict.poison;
    case 'retry':
    case 'released':
    case 'snoozed':
    case 'fallback':
      return false;
  }
}

function outcomeOf(verdict: Verdict): AttemptOutcome {
  switch (verdict.kind) {
    case 'succeeded':
    case 'cancelled':
    case 'released':
    case 'snoozed':
      return verdict.kind;
    case 'crashed':
      return 'lost';
    case 'retry':
    case 'fallback':
    case 'failed':
      return verdict.timedOut ? 'timed_out' : 'failed';
  }
}

const SUCCEEDED = sql`'succeeded'`;
const NO_TEXT = sql`''`;

/** One attempt row per settlement, ended `at`. */
export function recordAttempts(settlements: readonly Settlement[], at: Sql): Sql {
  const values = settlements.every(hasSucceeded) ? successes(settlements, at) : settlements.map((one) => attemptRow(one, at));
  return sql`INSERT INTO attempts (task_id, attempt, outcome, worker_id, started_at, finished_at, error_code, error_message, result) VALUES ${rows(values)}`;
}

type Success = Settlement & { readonly verdict: { readonly kind: 'succeeded' } };
const hasSucceeded = (settlement: Settlement): settlement is Success => settlement.verdict.kind === 'succeeded';

/** What is the same in all of them is part of the text. Of mixed verdicts every text would be another, and be prepared anew on SQLite. */
function successes(settlements: readonly Success[], at: Sql): (Buffer | string | number | Sql)[][] {
  const names = new Map([...new Set(settlements.map(({ worker }) => worker))].map((worker) => [worker, constant(worker)]));
  return settlements.map(({ worker, task, verdict }) => {
    const by = names.get(worker) ?? worker;
    return [task.bytes, task.attempt, SUCCEEDED, by, task.startedAt, at, NO_TEXT, NO_TEXT, verdict.result];
  });
}

function attemptRow({ worker, task, verdict }: Settlement, at: Sql): (Buffer | string | number | Sql | null)[] {
  const error = verdict.kind === 'succeeded' || verdict.kind === 'snoozed' ? null : verdict.error;
  const result = verdict.kind === 'succeeded' ? verdict.result : null;
  return [task.bytes, task.attempt, outcomeOf(verdict), worker, task.startedAt, at, error?.code ?? '', error?.message ?? '', result];
}

/** The attempt rows that these claims have left already. One row per task at most, however many attempts it has had. */
export function recorded(claims: readonly SameClaim[]): Sql {
  const left = claims.map(
    ({ attempt, members }) => sql`(attempt = ${attempt} AND task_id IN (${list(members.map(({ task }) => task.bytes))}))`,
  );
  return sql`SELECT task_id, attempt, worker_id FROM attempts WHERE (${join(left, ' OR ')}) AND (outcome <> 'lost' OR error_code <> ${WORKER_LOST.code})`;
}

/** Sets the timers that the verdicts ask for; empty where none does. */
export function setTimers(dialect: Dialect, settlements: readonly Settlement[], unhandledGraceMs: number): Sql[] {
  // A retry that is due at once still waits for the promoter: one way into the queue, not two.
  const due = settlements.flatMap(({ task, verdict }) =>
    verdict.kind === 'retry' || verdict.kind === 'snoozed' || (verdict.kind === 'released' && verdict.delayMs > 0)
      ? [[task.bytes, 'run', sql`${dialect.now} + ${verdict.delayMs}`]]
      : [],
  );
  const unhandled = settlements.flatMap(({ task, verdict }) =>
    verdict.kind === 'released' && verdict.unhandled ? [[task.bytes, 'unhandled', sql`${dialect.now} + ${unhandledGraceMs}`]] : [],
  );
  const statements: Sql[] = [];
  if (due.length > 0)
    statements.push(
      sql`INSERT INTO timers (task_id, kind, due_at) VALUES ${rows(due)}${dialect.overwrite(['task_id', 'kind'], ['due_at'])}`,
    );
  // The grace period runs from the first worker that lacked the handler, so a later one does not move it.
  if (unhandled.length > 0)
    statements.push(sql`INSERT INTO timers (task_id, kind, due_at) VALUES ${rows(unhandled)}${dialect.keepExisting(['task_id', 'kind'])}`);
  return statements;
}
