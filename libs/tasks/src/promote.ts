/**
 * Puts due tasks into the queue: `scheduled` and `retrying` to `queued` when their run timer is due. Any number of schedulers
 * may do it at once; each skips the timers that another holds. The timer goes in the same transaction as the move, so a task
 * waits for exactly one timer and never for none. The timer alone says what is due: a row that disagreed with it, as one does
 * where the clock was set back between two statements, would be left waiting for a timer that is gone.
 */
import { list, sql, type Database } from '@app/database';
import { failpoint } from '@app/lifecycle';
import { recordEvents, type TaskEvent } from './events.js';
import { queueUp } from './queue-up.sql.js';
import type { Ringer } from './ring.js';

const PAGE = 500;

interface DueTimer {
  task_id: Buffer;
  due_at: number;
  now: number;
}

interface WaitingRow {
  id: Buffer;
  tenant: string;
  queue: string;
  lane: number;
  state: 'scheduled' | 'retrying';
  attempt: number;
}

export class TaskPromoter {
  constructor(
    private readonly database: Database,
    private readonly ringer: Ringer,
  ) {}

  /** Promotes up to a page; returns how many timers it took, so that a full page can be followed by another. */
  async promote(): Promise<{ taken: number; full: boolean }> {
    const { dialect } = this.database;
    const outcome = await this.database.transaction(async (transaction) => {
      const due = await transaction.query<DueTimer>(
        sql`SELECT task_id, due_at, ${dialect.now} AS now FROM timers${dialect.by('ix_timers_due')} WHERE kind = 'run' AND due_at <= ${dialect.now} ORDER BY due_at LIMIT ${PAGE}${dialect.lockFree}`,
      );
      if (due.length === 0) return { taken: 0, rung: [] };
      const ids = due.map((row) => row.task_id).sort(Buffer.compare);
      const waiting = await transaction.query<WaitingRow>(
        sql`SELECT id, tenant, queue, lane, state, attempt FROM tasks${dialect.byPrimary} WHERE id IN (${list(ids)}) AND state IN ('scheduled', 'retrying') ORDER BY id${dialect.lock}`,
      );
      failpoint('promote.locked');
      const { statements, rung } = queueUp(dialect, this.ringer, waiting, ['scheduled', 'retrying']);
      await transaction.commitWith([
        ...statements,
        ...recordEvents(dialect, promotions(waiting, due)),
        sql`DELETE FROM timers WHERE kind = 'run' AND task_id IN (${list(ids)})`,
      ]);
      return { taken: due.length, rung };
    });
    if (outcome.taken > 0) failpoint('promote.committed');
    await this.ringer.ring(outcome.rung);
    return { taken: outcome.taken, full: outcome.taken === PAGE };
  }
}

/** `lateMs`: how long after its time the promoter came, which is what a reader asks of a task that started late. */
function promotions(waiting: readonly WaitingRow[], due: readonly DueTimer[]): TaskEvent[] {
  const timers = new Map(due.map((timer) => [timer.task_id.toString('hex'), timer]));
  return waiting.flatMap(({ id, state, attempt }): TaskEvent[] => {
    const timer = timers.get(id.toString('hex'));
    if (timer === undefined) return [];
    const { due_at: dueAt, now } = timer;
    return [{ task: id, kind: 'promoted', detail: { from: state, attempt, dueAt, lateMs: Math.max(0, Number(now) - dueAt) } }];
  });
}
