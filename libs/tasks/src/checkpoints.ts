/**
 * Where the work of a task stands, kept from one attempt to the next. Written only while the attempt is the worker's own: if the
 * lease is not mine, I do not write. It stays until the task is pruned or sent round again with another payload.
 */
import { sql, type Database } from '@app/database';
import type { ClaimedTask } from './claim.js';

export class TaskCheckpoints {
  constructor(private readonly database: Database) {}

  /** `data` is JSON text whose size the caller has bounded. Returns false when the attempt is no longer the worker's. */
  async write(worker: Buffer, task: ClaimedTask, data: string): Promise<boolean> {
    const { now, overwrite } = this.database.dialect;
    const written = await this.database.execute(
      sql`INSERT INTO task_checkpoints (task_id, attempt, data, updated_at) SELECT id, attempt, ${data}, ${now} FROM tasks WHERE id = ${task.bytes} AND state = 'running' AND worker_id = ${worker} AND attempt = ${task.attempt}${overwrite(['task_id'], ['attempt', 'data', 'updated_at'])}`,
    );
    return written > 0;
  }

  /** The JSON text that was saved last, or null. */
  async read(task: Buffer): Promise<string | null> {
    const [found] = await this.database.query<{ data: string }>(sql`SELECT data FROM task_checkpoints WHERE task_id = ${task}`);
    return found?.data ?? null;
  }
}
