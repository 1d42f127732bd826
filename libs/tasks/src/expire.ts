/**
 * Ends tasks whose time is over: not started by `expiresAt` → `expired`; past the deadline → `failed`; no live worker of its
 * queue knows its handler → `failed`. A running task is left alone (its worker enforces the deadline) and looked at again
 * shortly, because it may come back from its worker.
 */
import { type Database, list, NOBODY, sql, type Sql, type Transaction } from '@app/database';
import { failpoint } from '@app/lifecycle';
import type { TimerKind } from './entities.js';
import { recordEvents, type EventKind } from './events.js';
import { PAYLOAD_BYTES, type Place, type TaskQuotas } from './quotas.js';
import { isFinal, type TaskState } from './states.js';
import type { TaskError } from './task.js';

const PAGE = 200;
const LOOK_AGAIN_MS = 2_000;

interface Due extends Place {
  id: Buffer;
  state: TaskState;
  attempt: number;
  name: string;
  fallbacks: number;
}

type EndingTimer = Exclude<TimerKind, 'run'>;

interface KnownWorker {
  queues: string;
  handlers: string;
  state: string;
}

const TOLD_AS = { expire: 'expired', deadline: 'deadline_passed', unhandled: 'unhandled' } as const satisfies Record<string, EventKind>;

const NO_HANDLER: TaskError = { code: 'unknown-handler', message: 'No live worker of this queue has a handler of this name.' };
const PAST_DEADLINE: TaskError = { code: 'deadline-exceeded', message: 'The task did not succeed before its deadline.' };

export class TaskExpirer {
  constructor(
    private readonly database: Database,
    private readonly quotas: Pick<TaskQuotas, 'giveBack'>,
    /** How long no worker of the queue may have had the handler before its task fails, in ms. */
    private readonly unhandledGraceMs: number,
  ) {}

  /** Handles up to a page of due timers of one kind. */
  async expire(kind: EndingTimer): Promise<{ taken: number; full: boolean }> {
    const { dialect } = this.database;
    return this.database.transaction(async (transaction) => {
      const timers = await transaction.query<{ task_id: Buffer }>(
        sql`SELECT task_id FROM timers${dialect.by('ix_timers_due')} WHERE kind = ${kind} AND due_at <= ${dialect.now} ORDER BY due_at LIMIT ${PAGE}${dialect.lockFree}`,
      );
      if (timers.length === 0) return { taken: 0, full: false };
      failpoint('expire.locked');
      const ids = timers.map((row) => row.task_id).sort(Buffer.compare);
      const tasks = await transaction.query<Due>(
        sql`SELECT id, tenant, queue, state, attempt, name, fallbacks, ${PAYLOAD_BYTES} AS payloadBytes FROM tasks${dialect.byPrimary} WHERE id IN (${list(ids)}) ORDER BY id${dialect.lock}`,
      );
      const { end, later } = await this.sort(transaction, kind, tasks);
      const kept = new Set(later.map(({ id }) => id.toString('hex')));
      const done = ids.filter((id) => !kept.has(id.toString('hex')));
      const statements: Sql[] = [];
      if (end.length > 0) statements.push(...this.ends(kind, end));
      if (done.length > 0) statements.push(sql`DELETE FROM timers WHERE kind = ${kind} AND task_id IN (${list(done)})`);
      if (later.length > 0) {
        statements.push(
          sql`UPDATE timers SET due_at = ${dialect.now} + ${LOOK_AGAIN_MS} WHERE kind = ${kind} AND task_id IN (${list(later.map(({ id }) => id))})`,
        );
      }
      await transaction.commitWith([...statements, ...this.quotas.giveBack(end)]);
      failpoint('expire.committed');
      return { taken: timers.length, full: timers.length === PAGE };
    });
  }

  /** Which end now, and which are looked at again. */
  private async sort(transaction: Transaction, kind: TimerKind, tasks: readonly Due[]): Promise<{ end: Due[]; later: Due[] }> {
    const open = tasks.filter(({ state }) => !isFinal(state));
    const running = open.filter(({ state }) => state === 'running');
    const idle = open.filter(({ state }) => state !== 'running');
    if (kind !== 'unhandled') return { end: idle, later: running };
    // One that has the handler and was here a moment ago is probably being restarted: it counts for a grace period.
    const { now } = this.database.dialect;
    const workers = await transaction.query<KnownWorker>(
      sql`SELECT queues, handlers, state FROM workers WHERE state IN ('live', 'draining') OR heartbeat_at > ${now} - ${this.unhandledGraceMs}`,
    );
    const serves = (task: Due) => workers.filter(({ queues }) => serving(queues, task.queue));
    const handled = (task: Due): boolean =>
      serves(task).some(({ handlers }) => (JSON.parse(handlers) as string[]).some((way) => leadsTo(way, task)));
    const end = idle.filter((task) => serves(task).some(({ state }) => state === 'live') && !handled(task));
    const later = open.filter((task) => !end.includes(task) && !handled(task));
    return { end, later };
  }

  private ends(kind: EndingTimer, tasks: readonly Due[]): Sql[] {
    const { dialect } = this.database;
    const ids = list(tasks.map(({ id }) => id));
    const idle = sql`WHERE id IN (${ids}) AND state IN ('scheduled', 'queued', 'retrying')`;
    const told = recordEvents(
      dialect,
      tasks.map(({ id, state, attempt }) => ({ task: id, kind: TOLD_AS[kind], detail: { from: state, attempt } })),
    );
    if (kind === 'expire') {
      return [
        sql`UPDATE tasks${dialect.byPrimary} SET state = 'expired', phase = 'expired', ended = 'expired', finished_at = ${dialect.now}, updated_at = ${dialect.now} ${idle}`,
        ...told,
      ];
    }
    const reason = kind === 'deadline' ? 'deadline_exceeded' : 'unknown_handler';
    const error = kind === 'deadline' ? PAST_DEADLINE : NO_HANDLER;
    // No worker ran it to this end, so the end itself is told by an attempt row of nobody, under the next number.
    const records = tasks.map(
      ({ id, attempt }) =>
        sql`INSERT INTO attempts (task_id, attempt, outcome, worker_id, started_at, finished_at, error_code, error_message, result) VALUES (${id}, ${attempt + 1}, 'failed', ${NOBODY}, ${dialect.now}, ${dialect.now}, ${error.code}, ${error.message}, NULL)`,
    );
    return [
      sql`UPDATE tasks${dialect.byPrimary} SET state = 'failed', phase = 'failed', ended = 'failed', reason = ${reason}, attempt = attempt + 1, finished_at = ${dialect.now}, updated_at = ${dialect.now} ${idle}`,
      ...records,
      ...told,
    ];
  }
}

function serving(queues: string, queue: string): boolean {
  const named = JSON.parse(queues) as string[];
  return named.includes('*') || named.includes(queue);
}

/** A task that has fallen back needs a worker that knows as many fallbacks of its name. */
function leadsTo(way: string, { name, fallbacks }: Due): boolean {
  const steps = way.split('>');
  return steps[0] === name && steps.length === fallbacks + 1;
}
