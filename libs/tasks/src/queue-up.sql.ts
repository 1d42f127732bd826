/**
 * Sends locked tasks to the queue: those that a message fits the window for as `live`, the others as `unrung`, where workers look
 * by themselves. The promoter and an operator's retry differ in what they change besides.
 */
import { list, sql, type Dialect, type Sql } from '@app/database';
import { laneAt } from '@app/queue';
import type { TaskRow } from './entities.js';
import type { Ringable, Ringer } from './ring.js';
import type { TaskState } from './states.js';

/** Statements that belong to one transaction, and what to ring for after its commit. */
export interface Moved {
  statements: Sql[];
  rung: Ringable[];
}

/** `from`: the states in which the tasks may be. `more`: assignments besides, each with a comma behind it. */
export function queueUp(
  dialect: Dialect,
  ringer: Pick<Ringer, 'phaseFor'>,
  locked: readonly Pick<TaskRow, 'id' | 'tenant' | 'queue' | 'lane'>[],
  from: readonly TaskState[],
  more: Sql = sql``,
): Moved {
  const tasks = locked.map(({ id, tenant, queue, lane }): Ringable => ({ id, tenant, queue, lane: laneAt(lane) }));
  const rung = tasks.filter((task) => ringer.phaseFor(task) === 'live');
  const unrung = tasks.filter((task) => !rung.includes(task));
  const move = (phase: 'live' | 'unrung', members: readonly Ringable[]): Sql[] => {
    if (members.length === 0) return [];
    const rungAt = phase === 'live' ? dialect.now : sql`0`;
    return [
      sql`UPDATE tasks${dialect.byPrimary} SET state = 'queued', phase = ${phase}, ${more}rung_at = ${rungAt}, updated_at = ${dialect.now} WHERE id IN (${list(members.map(({ id }) => id))}) AND state IN (${list(from)})`,
    ];
  };
  return { rung, statements: [...move('live', rung), ...move('unrung', unrung)] };
}
