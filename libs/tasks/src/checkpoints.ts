/**
 * Where the work of a task stands, kept from one attempt to the next. Written only while the attempt is the worker's own, and the
 * task's row stays locked meanwhile: a plain read would see a lease that ends while the statement waits, and put an old attempt's
 * words over those of the next. A checkpoint is for the handler that saved it; another one's (a fallback's) replaces it and does not
 * find it. It stays until the task is pruned or sent round again with another payload.
 */
import { sql, type Database } from '@app/database';
import type { ClaimedTask } from './claim.sql.js';

export class TaskCheckpoints {
  constructor(private readonly database: Database) {}

  /** `data` is JSON text whose size the caller has bounded. Returns false when the attempt is no longer the worker's. */
  async write(worker: Buffer, task: ClaimedTask, handler: string, data: string): Promise<boolean> {
    const { lock, now, overwrite } = this.database.dialect;
    const written = await this.database.execute(
      sql`INSERT INTO task_checkpoints (task_id, attempt, handler, data, updated_at) SELECT id, attempt, ${handler}, ${data}, ${now} FROM tasks WHERE id = ${task.bytes} AND state = 'running' AND worker_id = ${worker} AND attempt = ${task.attempt}${lock}${overwrite(['task_id'], ['attempt', 'handler', 'data', 'updated_at'])}`,
    );
    return written > 0;
  }

  /** The JSON text that the handler saved last, or null. */
  async read(task: Buffer, handler: string): Promise<string | null> {
    const [found] = await this.database.query<{ data: string }>(
      sql`SELECT data FROM task_checkpoints WHERE task_id = ${task} AND handler = ${handler}`,
    );
    return found?.data ?? null;
  }
}
