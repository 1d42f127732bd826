/**
 * Cancels a task. One that nobody runs ends here; a running one is asked to stop through a row that its worker reads every
 * second, and ends as `cancelled` when its handler has stopped or its lease has ended. An outcome that commits first wins.
 */
import { sql, type Database } from '@app/database';
import type { TaskOperator } from './operate.js';
import type { TaskView } from './task.js';

/** More than a worker has slots. */
const REQUESTS_MAX = 10_000;

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

  /** Which tasks that a worker runs were asked to stop. Requests that their task outran stay until they are pruned, and must not hide others. */
  async requestedOf(worker: Buffer): Promise<Buffer[]> {
    const { by, joinNext } = this.database.dialect;
    const found = await this.database.query<{ task_id: Buffer }>(
      sql`SELECT c.task_id FROM cancel_requests c${by('ix_cancel_requests_worker')}${joinNext}tasks t ON t.id = c.task_id WHERE c.worker_id = ${worker} AND t.state = 'running' AND t.worker_id = ${worker} LIMIT ${REQUESTS_MAX}`,
    );
    return found.map((row) => row.task_id);
  }
}
