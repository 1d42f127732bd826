/**
 * Cancels a task. One that nobody runs ends here; a running one is asked to stop through a row that its worker reads every
 * second, and ends as `cancelled` when its handler has stopped or its lease has ended. An outcome that commits first wins.
 */
import { sql, type Database } from '@app/database';
import type { TaskOperator } from './operate.js';
import type { TaskView } from './task.js';

export class TaskCanceller {
  constructor(
    private readonly database: Database,
    private readonly operator: TaskOperator,
  ) {}

  /**
   * Returns the task as it is now; one that was asked to stop already is left as it is. `reason`: at most 500 characters. Throws
   * NotFound, or InvalidState for a finished task.
   */
  async cancel(tenant: string, id: string, actor: string, reason = ''): Promise<TaskView> {
    return this.operator.operate({ action: 'cancel', tenant, id, actor, reason });
  }

  /** Which of a worker's tasks were asked to stop. */
  async requestedOf(worker: Buffer): Promise<Buffer[]> {
    const found = await this.database.query<{ task_id: Buffer }>(
      sql`SELECT task_id FROM cancel_requests WHERE worker_id = ${worker} LIMIT 10000`,
    );
    return found.map((row) => row.task_id);
  }
}
