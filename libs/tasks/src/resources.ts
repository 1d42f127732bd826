/**
 * What exists outside of this system for a task. A row is written before the thing is made and deleted when its handler lets go
 * of it; what is left when the task has ended is handed to the handler's hook, again and again, until the hook succeeds (see
 * `abandoned.ts`). The row outlives its task. `tries` is 0 as long as the resource is the task's own.
 */
import { type Database, type RowIds, sql } from '@app/database';
import type { ClaimedTask } from './claim.sql.js';

/** How many of a task's resources are handed to its next attempt. */
const HELD_MAX = 1_000;

export interface RegisteredResource {
  id: Buffer;
  kind: string;
  ref: string;
}

export class TaskResources {
  constructor(
    private readonly database: Database,
    private readonly ids: RowIds,
    /** How long after it was registered a resource is first looked at, in ms; most are released before. */
    private readonly firstLookMs: number,
  ) {}

  /** Returns null when the attempt is no longer the worker's. `handler`: whose hook it is to be. */
  async register(worker: Buffer, task: ClaimedTask, handler: string, kind: string, ref: string): Promise<RegisteredResource | null> {
    const id = this.ids.next();
    const { now } = this.database.dialect;
    const written = await this.database.execute(
      sql`INSERT INTO task_resources (id, task_id, tenant, handler, attempt, kind, ref, tries, last_error, check_at, created_at) SELECT ${id}, id, tenant, ${handler}, attempt, ${kind}, ${ref}, 0, '', ${now} + ${this.firstLookMs}, ${now} FROM tasks WHERE id = ${task.bytes} AND state = 'running' AND worker_id = ${worker} AND attempt = ${task.attempt}`,
    );
    return written > 0 ? { id, kind, ref } : null;
  }

  /** It is gone, or somebody else's; also where it is not known any more. */
  async release(id: Buffer): Promise<void> {
    await this.database.execute(sql`DELETE FROM task_resources WHERE id = ${id}`);
  }

  /** What the task holds, in the order of registration: not what its hook has begun to take away. */
  async heldBy(task: Buffer): Promise<RegisteredResource[]> {
    return this.database.query<RegisteredResource>(
      sql`SELECT id, kind, ref FROM task_resources WHERE task_id = ${task} AND tries = 0 ORDER BY id LIMIT ${HELD_MAX}`,
    );
  }
}
