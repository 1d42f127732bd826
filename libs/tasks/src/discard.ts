/**
 * Puts a dead letter aside: the task stays failed, with everything that is known about it, and nobody has to look at it any more.
 * It can still be retried, and is pruned like any failed task.
 */
import type { TaskOperator } from './operate.js';
import type { TaskView } from './task.js';

export class TaskDiscarder {
  constructor(private readonly operator: TaskOperator) {}

  /** Returns the task as it is now. `reason`: at most 500 characters. Throws NotFound, or InvalidState for what is no dead letter. */
  async discard(tenant: string, id: string, actor: string, reason = ''): Promise<TaskView> {
    return this.operator.operate({ action: 'discard', tenant, id, actor, reason });
  }
}
