/**
 * Carries out operations over many tasks, a page per step. A step is one transaction: it takes one operation that is due and that
 * nobody else has, finds the next page of its tasks after the cursor, moves them, and writes cursor, counts and the next due time.
 * So whatever dies between two steps, or in the middle of one, nothing is done twice and nothing is left out, and any number of
 * schedulers share the work. Every task is met once: the cursor walks up the ids, and tasks made after the start are left alone.
 *
 * The database's clock keeps the pace. A step of `done` tasks moves the due time on by what they may take at the asked rate; a
 * runner that is late catches up on one second at most, so a burst is never more than a second's worth.
 *
 * An operation whose step failed is set back, whatever the reason: it must not stand before the others for ever. One whose steps
 * the database refuses some times in a row ends as failed. A database that is away or busy is no refusal, however often.
 *
 * What was made after the start is told by the database's clock alone, and not by the ids, which an api node's clock made.
 */
import { type Database, idText, join, list, sql, type Sql, type Transaction } from '@app/database';
import { Unavailable } from '@app/errors';
import { failpoint } from '@app/lifecycle';
import { withoutAsked } from './asked.js';
import { bounds, candidates, CLOCKS_FAR_APART_MS, conditions, EXAMINED_MAX, isNarrowed, type Selection } from './filter.sql.js';
import type { BulkAction, BulkRow } from './history-entities.js';
import { allows, lockTargets, moveAll, type Target } from './operate.sql.js';
import type { TaskQuotas } from './quotas.js';
import type { Ringable, Ringer } from './ring.js';
import { isFinal, TASK_STATES, type TaskState } from './states.js';
import type { TaskFilter } from './task.js';

/** The most tasks one step moves; it holds their locks meanwhile. */
const PAGE_MAX = 200;
/** How much lateness is made up for, in ms. */
const CATCH_UP_MS = 1_000;
const REFUSALS_MAX = 3;
const SET_BACK_MS = 5_000;
const REFUSED = 'The database refused a step again and again; the log of the scheduler says why. What was done before stays done.';

type Due = Pick<
  BulkRow,
  'id' | 'tenant' | 'action' | 'filter' | 'rate_per_second' | 'cursor_id' | 'requested_by' | 'reason' | 'created_at'
>;

/** A page of an operation: what matched, how many were looked at for it, and up to where. */
interface Page {
  ids: Buffer[];
  examined: number;
  cursor: Buffer;
  isLast: boolean;
}

export interface BulkStep {
  /** Operations taken: 1, or 0 where none was due. */
  taken: number;
  /** The id of the operation where this step was its last. */
  ended: string | null;
}

export class BulkRunner {
  constructor(
    private readonly database: Database,
    private readonly ringer: Ringer,
    private readonly quotas: TaskQuotas,
  ) {}

  /** One step of one operation that is due. Throws what the database threw. */
  async step(): Promise<BulkStep> {
    const taken: { id: Buffer | null } = { id: null };
    try {
      const { step, rung } = await this.database.transaction(async (transaction) => {
        const [due] = await transaction.query<Due>(this.take());
        taken.id = due?.id ?? null;
        return due === undefined ? { step: { taken: 0, ended: null }, rung: [] } : this.carryOn(transaction, due);
      });
      await this.ringer.ring(rung);
      return step;
    } catch (error) {
      // Where this fails too, what happened first is what counts.
      if (taken.id !== null) await this.setBack(taken.id, !(error instanceof Unavailable)).catch(() => undefined);
      throw error;
    }
  }

  private take(): Sql {
    const { by, now, lockFree } = this.database.dialect;
    return sql`SELECT id, tenant, action, filter, rate_per_second, cursor_id, requested_by, reason, created_at FROM bulk_operations${by('ix_bulk_operations_due')} WHERE state = 'running' AND next_at <= ${now} ORDER BY next_at LIMIT 1${lockFree}`;
  }

  private async carryOn(transaction: Transaction, due: Due): Promise<{ step: BulkStep; rung: Ringable[] }> {
    const { dialect } = this.database;
    const selection = selectionFor(due);
    const wanted = [...conditions(due.tenant, selection), sql`created_at <= ${due.created_at}`];
    const page = await this.look(transaction, due, selection, wanted);
    const locked = page.ids.length === 0 ? [] : await transaction.query<Target>(lockTargets(dialect, [among(page.ids), ...wanted]));
    if (locked.length > 0) failpoint('bulk.locked');
    const allowed = locked.filter((target) => allows(due.action, target));
    const willing = await withoutAsked(transaction, due.action, allowed);
    const { targets, taken } = await this.withinQuotas(transaction, due.action, willing);
    const order = { actor: due.requested_by, reason: due.reason, bulk: idText(due.id) };
    const moved = moveAll(dialect, this.ringer, this.quotas, due.action, targets, order);
    await transaction.commitWith([...moved.statements, this.advance(due, page, targets.length), ...taken]);
    if (targets.length > 0) failpoint('bulk.committed');
    return { step: { taken: 1, ended: page.isLast ? idText(due.id) : null }, rung: moved.rung };
  }

  /** A retried task needs room like a new one; those that find none are left alone. */
  private async withinQuotas(
    transaction: Transaction,
    action: BulkAction,
    targets: readonly Target[],
  ): Promise<{ targets: readonly Target[]; taken: readonly Sql[] }> {
    if (action !== 'retry' || targets.length === 0) return { targets, taken: [] };
    const { refusals, statements } = await this.quotas.fit(transaction, targets);
    return { targets: targets.filter((_, index) => refusals[index] === null), taken: statements };
  }

  private async look(transaction: Transaction, due: Due, selection: Selection, wanted: readonly Sql[]): Promise<Page> {
    const { dialect } = this.database;
    const page = Math.min(PAGE_MAX, due.rate_per_second);
    // Also where the filter takes all that the index gives, what was made after the start may be among it.
    const most = isNarrowed(selection) ? EXAMINED_MAX : PAGE_MAX;
    const { above, below } = bounds(selection, CLOCKS_FAR_APART_MS);
    const start = Buffer.compare(above, due.cursor_id) > 0 ? above : due.cursor_id;
    const looked = candidates(dialect, due.tenant, selection, { above: start, below, order: 'oldest first', most });
    const ids = looked === null ? [] : (await transaction.query<{ id: Buffer }>(looked)).map(({ id }) => id);
    const last = ids.at(-1);
    if (last === undefined) return { ids: [], examined: 0, cursor: due.cursor_id, isLast: true };
    const found = await transaction.query<{ id: Buffer }>(
      sql`SELECT id FROM tasks${dialect.byPrimary} WHERE ${join([among(ids), ...wanted], ' AND ')} ORDER BY id LIMIT ${page}`,
    );
    const matched = found.map(({ id }) => id);
    const lastMatched = matched.at(-1);
    // A full page may have left something behind: the next one goes on right after it.
    const cursor = lastMatched !== undefined && matched.length === page ? lastMatched : last;
    const examined = ids.findIndex((id) => id.equals(cursor)) + 1;
    return { ids: matched, examined, cursor, isLast: cursor === last && ids.length < most };
  }

  private advance(due: Due, { ids, examined, cursor, isLast }: Page, done: number): Sql {
    const { now } = this.database.dialect;
    const takesMs = Math.ceil((1_000 * done) / due.rate_per_second);
    // One that found nothing goes behind those that are due already.
    const nextAt =
      done === 0 ? now : sql`CASE WHEN next_at > ${now} - ${CATCH_UP_MS} THEN next_at ELSE ${now} - ${CATCH_UP_MS} END + ${takesMs}`;
    const end = isLast ? sql`, state = 'finished', finished_at = ${now}` : sql``;
    return sql`UPDATE bulk_operations SET cursor_id = ${cursor}, examined = examined + ${examined}, done = done + ${done}, skipped = skipped + ${ids.length - done}, refusals = 0, next_at = ${nextAt}, updated_at = ${now}${end} WHERE id = ${due.id} AND state = 'running'`;
  }

  /** Whichever scheduler was refused: how often it was in a row is stored, or a restart would begin again. */
  private async setBack(id: Buffer, isRefused: boolean): Promise<void> {
    const { now } = this.database.dialect;
    const isOver = sql`refusals + 1 >= ${REFUSALS_MAX}`;
    // MySQL assigns from left to right and reads what it has assigned, so the count comes last.
    const change = isRefused
      ? sql`state = CASE WHEN ${isOver} THEN 'failed' ELSE state END, error = CASE WHEN ${isOver} THEN ${REFUSED} ELSE error END, finished_at = CASE WHEN ${isOver} THEN ${now} ELSE 0 END, next_at = ${now} + ${SET_BACK_MS} * (refusals + 1), refusals = refusals + 1`
      : sql`next_at = ${now} + ${SET_BACK_MS}`;
    await this.database.execute(sql`UPDATE bulk_operations SET updated_at = ${now}, ${change} WHERE id = ${id} AND state = 'running'`);
  }
}

/**
 * Which tasks an operation means. A retry means the dead letters unless it names another state, and discarded ones only where it
 * asks for them; a cancel means everything that is not finished.
 */
function selectionFor({ action, filter }: Pick<Due, 'action' | 'filter'>): Selection {
  const { state, ...rest } = JSON.parse(filter) as TaskFilter;
  const states = state === undefined ? statesOf(action) : [state];
  return states.includes('failed') ? { discarded: false, ...rest, states } : { ...rest, states };
}

function statesOf(action: BulkAction): readonly TaskState[] {
  return action === 'cancel' ? TASK_STATES.filter((state) => !isFinal(state)) : ['failed'];
}

const among = (ids: readonly Buffer[]): Sql => sql`id IN (${list(ids)})`;
