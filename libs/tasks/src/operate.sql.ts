/**
 * What operators do to tasks, as statements over any number of locked rows: a call for one task and a page of an operation over
 * many run the same ones. The rows are locked in id order before anything is decided, so a move that is refused here was never
 * begun, and every move leaves its event in the same transaction.
 */
import { join, list, rows, sql, type Dialect, type Sql } from '@app/database';
import type { TaskRow } from './entities.js';
import { recordEvents, type EventKind, type TaskEvent } from './events.js';
import type { BulkAction } from './history-entities.js';
import { PAYLOAD_BYTES, type Place, type TaskQuotas } from './quotas.js';
import { queueUp, type Moved } from './queue-up.sql.js';
import type { Ringer } from './ring.js';
import { isFinal, mayMove } from './states.js';

/** A task as its operator finds it, under lock. */
export type Target = Pick<TaskRow, 'id' | 'lane' | 'state' | 'ended' | 'attempt' | 'worker_id'> & Place;

/** Who wants it, and why. */
export interface Order {
  /** The `sub` claim. */
  actor: string;
  /** In the actor's own words, at most 500 characters; empty where nobody said. */
  reason: string;
  /** The id of the operation over many tasks that this is part of. */
  bulk?: string;
  /** Whether a retry comes with another payload. */
  payloadEdited?: boolean;
}

/** Reads and locks the tasks that fulfil all of the conditions, in id order. The conditions must name the tenant and the ids. */
export function lockTargets(dialect: Dialect, conditions: readonly Sql[]): Sql {
  return sql`SELECT id, tenant, queue, lane, state, ended, attempt, worker_id, ${PAYLOAD_BYTES} AS payloadBytes FROM tasks${dialect.byPrimary} WHERE ${join(conditions, ' AND ')} ORDER BY id${dialect.lock}`;
}

export function allows(action: BulkAction, { state, ended }: Pick<Target, 'state' | 'ended'>): boolean {
  switch (action) {
    case 'retry':
      return mayMove(state, 'queued', 'operator');
    case 'cancel':
      return !isFinal(state);
    case 'discard':
      return state === 'failed' && ended === 'failed';
  }
}

/** Moves locked tasks, each of which `allows` the action. What a retry takes of the quotas is the caller's to take. */
export function moveAll(
  dialect: Dialect,
  ringer: Pick<Ringer, 'phaseFor'>,
  quotas: Pick<TaskQuotas, 'giveBack'>,
  action: BulkAction,
  targets: readonly Target[],
  order: Order,
): Moved {
  if (targets.length === 0) return { statements: [], rung: [] };
  switch (action) {
    case 'retry':
      return retryAll(dialect, ringer, targets, order);
    case 'cancel':
      return cancelAll(dialect, quotas, targets, order);
    case 'discard':
      return discardAll(dialect, targets, order);
  }
}

/**
 * Failures and crashes start at zero, expiry and deadline are lifted (both lie in the past by now), attempts go on counting,
 * because a fencing number is never used twice.
 */
function retryAll(dialect: Dialect, ringer: Pick<Ringer, 'phaseFor'>, targets: readonly Target[], order: Order): Moved {
  const afresh = sql`ended = 'none', reason = 'none', failures = 0, crashes = 0, snoozes = 0, fallbacks = 0, expires_at = 0, deadline_at = 0, finished_at = 0, run_at = ${dialect.now}, `;
  const { statements, rung } = queueUp(dialect, ringer, targets, ['failed', 'cancelled', 'expired'], afresh);
  return {
    rung,
    statements: [
      ...statements,
      sql`DELETE FROM timers WHERE task_id IN (${idsOf(targets)})`,
      sql`DELETE FROM cancel_requests WHERE task_id IN (${idsOf(targets)})`,
      ...recordEvents(dialect, eventsOf('retried', targets, order)),
    ],
  };
}

/** One that nobody runs ends here; the worker of a running one is asked to stop it. */
function cancelAll(dialect: Dialect, quotas: Pick<TaskQuotas, 'giveBack'>, targets: readonly Target[], order: Order): Moved {
  const running = targets.filter(({ state }) => state === 'running');
  const idle = targets.filter(({ state }) => state !== 'running');
  const statements: Sql[] = [];
  if (idle.length > 0) {
    statements.push(
      sql`UPDATE tasks${dialect.byPrimary} SET state = 'cancelled', phase = 'cancelled', ended = 'cancelled', finished_at = ${dialect.now}, updated_at = ${dialect.now} WHERE id IN (${idsOf(idle)}) AND state IN ('scheduled', 'queued', 'retrying')`,
    );
  }
  if (running.length > 0) {
    const requests = running.map(({ id, worker_id: worker }) => [id, worker, dialect.now, order.actor]);
    statements.push(
      sql`INSERT INTO cancel_requests (task_id, worker_id, requested_at, requested_by) VALUES ${rows(requests)}${dialect.overwrite(['task_id'], ['worker_id'])}`,
    );
  }
  const events = [...eventsOf('cancelled', idle, order), ...eventsOf('cancel_requested', running, order)];
  return { rung: [], statements: [...statements, ...recordEvents(dialect, events), ...quotas.giveBack(idle)] };
}

/** The state stays: a discarded task is one that failed, and that nobody needs to look at any more. */
function discardAll(dialect: Dialect, targets: readonly Target[], order: Order): Moved {
  return {
    rung: [],
    statements: [
      sql`UPDATE tasks${dialect.byPrimary} SET ended = 'discarded', updated_at = ${dialect.now} WHERE id IN (${idsOf(targets)}) AND state = 'failed' AND ended = 'failed'`,
      ...recordEvents(dialect, eventsOf('discarded', targets, order)),
    ],
  };
}

const idsOf = (members: readonly { id: Buffer }[]): Sql => list(members.map(({ id }) => id));

function eventsOf(kind: EventKind, targets: readonly Target[], { actor, reason, bulk, payloadEdited }: Order): TaskEvent[] {
  const more = { reason, ...(bulk === undefined ? {} : { bulk }), ...(payloadEdited === true ? { payloadEdited } : {}) };
  return targets.map(({ id, state: from, attempt }) => ({ task: id, kind, actor, detail: { from, attempt, ...more } }));
}
