/**
 * Turns a filter over a tenant's tasks into SQL, for lists (newest first) and for operations over many tasks (oldest first).
 * Both look at a bounded number of rows per call, in the order of ids: first the candidates, which an index gives in that
 * order, then what of them matches. Where the index alone decides, the two are the same.
 */
import { type Dialect, ID_MAX, idFloor, join, list, sql, type Sql } from '@app/database';
import type { TaskRow } from './entities.js';
import { TASK_STATES, type TaskState } from './states.js';
import type { TaskFilter } from './task.js';

/** Rows that one call may look at. */
export const EXAMINED_MAX = 5_000;
/**
 * How far the clock that made an id may be from the database's, which made `createdAt`, the wait for a group included, in ms: for
 * a list that somebody looks at, and for an operation, which must not leave anything out because a clock is wrong.
 */
const CLOCKS_APART_MS = 10_000;
export const CLOCKS_FAR_APART_MS = 3_600_000;

type End = TaskRow['ended'];
const ENDS: readonly End[] = ['none', 'failed', 'discarded', 'cancelled', 'expired'];
const ENDS_OF: Readonly<Partial<Record<TaskState, readonly End[]>>> = {
  failed: ['failed', 'discarded'],
  cancelled: ['cancelled'],
  expired: ['expired'],
};
const NOT_EXCEPTIONAL: readonly End[] = ['none'];

/** A filter that may name several states. */
export interface Selection extends Omit<TaskFilter, 'state'> {
  /** All of them where absent. */
  states?: readonly TaskState[];
}

/** Where to look: between two ids, both exclusive. */
export interface Span {
  above: Buffer;
  below: Buffer;
  order: 'newest first' | 'oldest first';
  most: number;
}

export function selectionOf({ state, ...rest }: TaskFilter): Selection {
  return state === undefined ? rest : { ...rest, states: [state] };
}

/** Ids below the first cannot match, nor those above the second. */
export function bounds({ createdAfter, createdBefore }: Selection, apartMs = CLOCKS_APART_MS): Pick<Span, 'above' | 'below'> {
  return {
    above: createdAfter === undefined ? Buffer.alloc(16) : idFloor(createdAfter - apartMs),
    below: createdBefore === undefined ? ID_MAX : idFloor(createdBefore + apartMs),
  };
}

/** Whether a candidate may fail to match, so that many must be looked at for a page. */
export function isNarrowed(selection: Selection): boolean {
  const { states, reason, discarded, name, queue, tag, createdAfter, createdBefore } = selection;
  if ([reason, name, queue, createdAfter, createdBefore].some((value) => value !== undefined)) return true;
  if (tag !== undefined) return states !== undefined || discarded !== undefined;
  return states?.some((state) => ENDS_OF[state] === undefined) === true;
}

/** The ids of candidates in order; null where nothing can match. */
export function candidates(dialect: Dialect, tenant: string, selection: Selection, span: Span): Sql | null {
  const direction = span.order === 'newest first' ? sql`DESC` : sql`ASC`;
  const ends = endsOf(selection);
  if (ends.length === 0) return null;
  if (selection.tag !== undefined) {
    return sql`SELECT task_id AS id FROM task_tags WHERE tenant = ${tenant} AND tag = ${selection.tag} AND task_id < ${span.below} AND task_id > ${span.above} ORDER BY task_id ${direction} LIMIT ${span.most}`;
  }
  // A range per value of `ended`, each in order, so that the index gives the order and the dead letters are one range.
  const ranges = ends.map(
    (ended) =>
      sql`SELECT * FROM (SELECT id FROM tasks${dialect.by('ix_tasks_tenant')} WHERE tenant = ${tenant} AND ended = ${ended} AND id < ${span.below} AND id > ${span.above} ORDER BY id ${direction} LIMIT ${span.most}) AS r_${{ text: ended, values: [] }}`,
  );
  return sql`SELECT id FROM (${join(ranges, ' UNION ALL ')}) AS found ORDER BY id ${direction} LIMIT ${span.most}`;
}

/** What a row of `tasks` must fulfil to match, the tenant included. */
export function conditions(tenant: string, selection: Selection): Sql[] {
  const { states, reason, discarded, name, queue, createdAfter, createdBefore } = selection;
  const all = [sql`tenant = ${tenant}`];
  if (states !== undefined) all.push(states.length === 0 ? sql`1 = 0` : sql`state IN (${list(states)})`);
  if (reason !== undefined) all.push(sql`reason = ${reason}`);
  if (discarded !== undefined) all.push(discarded ? sql`ended = 'discarded'` : sql`ended <> 'discarded'`);
  if (name !== undefined) all.push(sql`name = ${name}`);
  if (queue !== undefined) all.push(sql`queue = ${queue}`);
  if (createdAfter !== undefined) all.push(sql`created_at >= ${createdAfter}`);
  if (createdBefore !== undefined) all.push(sql`created_at < ${createdBefore}`);
  return all;
}

function endsOf({ states = TASK_STATES, reason, discarded }: Selection): End[] {
  const possible = new Set<End>(states.flatMap((state) => ENDS_OF[state] ?? NOT_EXCEPTIONAL));
  return ENDS.filter((end) => {
    if (!possible.has(end)) return false;
    if (reason !== undefined && end !== 'failed' && end !== 'discarded') return false;
    return discarded === undefined || (end === 'discarded') === discarded;
  });
}
