/**
 * How far a running task says it is. Best effort, and the one write that is fenced by a plain read: it looks for the lease, and does
 * not lock the task's row as a checkpoint does, because a word that is soon replaced must not keep a settlement waiting. So a lease
 * that ends while the statement is under way goes unnoticed, and an old attempt's words may stand until the next attempt says its
 * own. They could outlive the task only where a finished task is kept for less time than one statement may last.
 */
import { sql, type Database } from '@app/database';
import type { ClaimedTask } from './claim.sql.js';

export class TaskProgressWriter {
  constructor(private readonly database: Database) {}

  /** `fraction` 0 … 1, `message` at most 500 characters. Returns false when the attempt is no longer the worker's. */
  async write(worker: Buffer, task: ClaimedTask, fraction: number, message: string): Promise<boolean> {
    const { now, overwrite } = this.database.dialect;
    const written = await this.database.execute(
      sql`INSERT INTO task_progress (task_id, fraction, message, updated_at) SELECT id, ${fraction}, ${message}, ${now} FROM tasks WHERE id = ${task.bytes} AND state = 'running' AND worker_id = ${worker} AND attempt = ${task.attempt}${overwrite(['task_id'], ['fraction', 'message', 'updated_at'])}`,
    );
    return written > 0;
  }
}
