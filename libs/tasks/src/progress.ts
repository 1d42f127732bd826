/** How far a running task says it is. Written only while the attempt is the worker's own: if the lease is not mine, I do not write. */
import { sql, type Database } from '@app/database';
import type { ClaimedTask } from './claim.js';

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
