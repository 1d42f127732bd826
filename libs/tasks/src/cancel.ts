/**
 * Cancels a task. One that nobody runs ends here; a running one is asked to stop through a row that its worker reads every
 * second, and ends as `cancelled` when its handler has stopped or its lease has ended. An outcome that commits first wins.
 */
import { sql, type Database } from '@app/database';
import { InvalidState, NotFound } from '@app/errors';
import type { TaskReader } from './read.js';
import { isFinal, type TaskState } from './states.js';
import type { TaskView } from './task.js';
import { idBytes } from './task-id.js';

export class TaskCanceller {
  constructor(
    private readonly database: Database,
    private readonly reader: TaskReader,
  ) {}

  /** Returns the task as it is now. Throws NotFound, or InvalidState for a finished task. */
  async cancel(tenant: string, id: string, actor: string): Promise<TaskView> {
    const bytes = idBytes(id);
    if (bytes === null) throw new NotFound('task');
    const { dialect } = this.database;
    await this.database.transaction(async (transaction) => {
      const [row] = await transaction.query<{ state: TaskState; worker_id: Buffer }>(
        sql`SELECT state, worker_id FROM tasks WHERE id = ${bytes} AND tenant = ${tenant}${dialect.lock}`,
      );
      if (row === undefined) throw new NotFound('task');
      if (isFinal(row.state))
        throw new InvalidState(`The task is already ${row.state}; only a task that is not finished can be cancelled.`);
      if (row.state === 'running') {
        await transaction.execute(
          sql`INSERT INTO cancel_requests (task_id, worker_id, requested_at, requested_by) VALUES (${bytes}, ${row.worker_id}, ${dialect.now}, ${actor})${dialect.overwrite(['task_id'], ['worker_id'])}`,
        );
        return;
      }
      await transaction.execute(
        sql`UPDATE tasks SET state = 'cancelled', phase = 'cancelled', ended = 'cancelled', finished_at = ${dialect.now}, updated_at = ${dialect.now} WHERE id = ${bytes} AND state = ${row.state}`,
      );
    });
    return this.reader.get(tenant, id);
  }

  /** Which of a worker's tasks were asked to stop. */
  async requestedOf(worker: Buffer): Promise<Buffer[]> {
    const found = await this.database.query<{ task_id: Buffer }>(
      sql`SELECT task_id FROM cancel_requests WHERE worker_id = ${worker} LIMIT 10000`,
    );
    return found.map((row) => row.task_id);
  }
}
