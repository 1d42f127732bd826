/**
 * An operator sends a finished task round again: failures and crashes start at zero, expiry and deadline are lifted (both lie
 * in the past by now), attempts go on counting, because a fencing number is never used twice.
 */
import { sql, type Database } from '@app/database';
import { InvalidState, NotFound } from '@app/errors';
import { laneAt } from '@app/queue';
import type { TaskReader } from './read.js';
import type { Ringer } from './ring.js';
import { mayMove, type TaskState } from './states.js';
import type { TaskView } from './task.js';
import { idBytes } from './task-id.js';

export class TaskRetrier {
  constructor(
    private readonly database: Database,
    private readonly reader: TaskReader,
    private readonly ringer: Ringer,
  ) {}

  /** Returns the task as it is now. Throws NotFound, or InvalidState for a task that is not failed, cancelled or expired. */
  async retry(tenant: string, id: string): Promise<TaskView> {
    const bytes = idBytes(id);
    if (bytes === null) throw new NotFound('task');
    const { dialect } = this.database;
    const rung = await this.database.transaction(async (transaction) => {
      const [row] = await transaction.query<{ state: TaskState; queue: string; lane: number }>(
        sql`SELECT state, queue, lane FROM tasks WHERE id = ${bytes} AND tenant = ${tenant}${dialect.lock}`,
      );
      if (row === undefined) throw new NotFound('task');
      if (!mayMove(row.state, 'queued', 'operator')) {
        throw new InvalidState(`The task is ${row.state}; only a failed, cancelled or expired task can be retried.`);
      }
      const task = { id: bytes, tenant, queue: row.queue, lane: laneAt(row.lane) };
      const phase = this.ringer.phaseFor(task);
      await transaction.run([
        sql`UPDATE tasks SET state = 'queued', phase = ${phase}, ended = 'none', reason = 'none', failures = 0, crashes = 0, snoozes = 0, fallbacks = 0, expires_at = 0, deadline_at = 0, finished_at = 0, run_at = ${dialect.now}, rung_at = ${phase === 'live' ? dialect.now : 0}, updated_at = ${dialect.now} WHERE id = ${bytes} AND state = ${row.state}`,
        sql`DELETE FROM timers WHERE task_id = ${bytes}`,
        sql`DELETE FROM cancel_requests WHERE task_id = ${bytes}`,
      ]);
      return phase === 'live' ? [task] : [];
    });
    await this.ringer.ring(rung);
    return this.reader.get(tenant, id);
  }
}
