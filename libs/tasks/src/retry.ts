/**
 * An operator sends a finished task round again, with the payload it has or with another one. A checkpoint belongs to the work it
 * was made for: it is kept with the same payload, and dropped with another.
 */
import { isDeepStrictEqual } from 'node:util';
import { sql } from '@app/database';
import type { Edit, TaskOperator } from './operate.js';
import type { TaskView } from './task.js';

export interface RetryChange {
  /** Another payload, as JSON text whose size the caller has bounded. */
  payload?: string | undefined;
  /** Why, at most 500 characters. */
  reason?: string | undefined;
}

export class TaskRetrier {
  constructor(private readonly operator: TaskOperator) {}

  /** Returns the task as it is now. Throws NotFound, InvalidState for a task that is not failed, cancelled or expired, or QuotaExceeded. */
  async retry(tenant: string, id: string, actor: string, { payload, reason = '' }: RetryChange = {}): Promise<TaskView> {
    const order = { action: 'retry', tenant, id, actor, reason } as const;
    return payload === undefined ? this.operator.operate(order) : this.operator.operate(order, replaceBy(payload));
  }
}

/** Payloads are compared by value: spaces and the order of keys make no other one. */
function replaceBy(payload: string): Edit {
  return async (transaction, task) => {
    const [row] = await transaction.query<{ payload: string }>(sql`SELECT payload FROM tasks WHERE id = ${task}`);
    if (row !== undefined && isDeepStrictEqual(JSON.parse(row.payload), JSON.parse(payload))) return null;
    const payloadBytes = Buffer.byteLength(payload);
    const statements = [
      sql`UPDATE tasks SET payload = ${payload}, payload_bytes = ${payloadBytes} WHERE id = ${task}`,
      sql`DELETE FROM task_checkpoints WHERE task_id = ${task}`,
    ];
    return { statements, payloadBytes };
  };
}
