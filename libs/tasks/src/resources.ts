/**
 * What exists outside of this system for a task. A row is written before the thing is made and deleted when its handler lets go
 * of it; what is left when the task has ended is handed to the handler's hook, again and again, until the hook succeeds.
 */
import { sql, type Database } from '@app/database';
import type { ClaimedTask } from './claim.js';
import type { TaskIds } from './task-id.js';

/** How long after it was registered a resource is first looked at, in ms; most are released before. */
const FIRST_LOOK_MS = 10_000;

export interface RegisteredResource {
  id: Buffer;
  kind: string;
  ref: string;
}

export class TaskResources {
  constructor(
    private readonly database: Database,
    private readonly ids: TaskIds,
  ) {}

  /** Returns null when the attempt is no longer the worker's. */
  async register(worker: Buffer, task: ClaimedTask, kind: string, ref: string): Promise<RegisteredResource | null> {
    const id = this.ids.next();
    const { now } = this.database.dialect;
    const written = await this.database.execute(
      sql`INSERT INTO task_resources (id, task_id, tenant, name, attempt, kind, ref, tries, last_error, check_at, created_at) SELECT ${id}, id, tenant, ${task.name}, attempt, ${kind}, ${ref}, 0, '', ${now} + ${FIRST_LOOK_MS}, ${now} FROM tasks WHERE id = ${task.bytes} AND state = 'running' AND worker_id = ${worker} AND attempt = ${task.attempt}`,
    );
    return written > 0 ? { id, kind, ref } : null;
  }

  /** It is gone, or somebody else's; also where it is not known any more. */
  async release(id: Buffer): Promise<void> {
    await this.database.execute(sql`DELETE FROM task_resources WHERE id = ${id}`);
  }

  /** What the task holds, in the order of registration. */
  async heldBy(task: Buffer): Promise<RegisteredResource[]> {
    return this.database.query<RegisteredResource>(
      sql`SELECT id, kind, ref FROM task_resources WHERE task_id = ${task} ORDER BY id LIMIT 1000`,
    );
  }
}
