/**
 * Deletes history that is older than its retention, oldest first and a small page at a time, so that it never holds locks the
 * hot path waits for. It walks the primary key (ids are in time order) and remembers where it was; a lap that reached the
 * present starts over.
 */
import { list, sql, type Database } from '@app/database';
import { databaseNow } from './database-now.js';
import type { FinalState, TaskPhase } from './states.js';
import { idFloor } from './task-id.js';

const EXAMINED = 2_000;
const PAGE = 500;

export interface Retention {
  /** How long a finished task is kept, in ms. */
  readonly tasks: Readonly<Record<FinalState, number>>;
  readonly idempotencyMs: number;
  /** How long the row of a worker that is gone is kept, in ms. */
  readonly workersMs: number;
}

export class HistoryPruner {
  private cursor: Buffer = Buffer.alloc(16);

  constructor(
    private readonly database: Database,
    private readonly retention: Retention,
  ) {}

  /** One page of tasks, keys and workers; `again` while there is more to walk. */
  async prune(): Promise<{ deleted: number; again: boolean }> {
    const now = await databaseNow(this.database);
    const tasks = await this.pruneTasks(now);
    const keys = await this.pruneKeys(now);
    await this.pruneWorkers(now);
    await this.pruneCancels();
    return { deleted: tasks.deleted + keys, again: tasks.again || keys === PAGE };
  }

  private async pruneTasks(now: number): Promise<{ deleted: number; again: boolean }> {
    const shortest = Math.min(...Object.values(this.retention.tasks));
    const rows = await this.database.query<{ id: Buffer; phase: TaskPhase; finished_at: number }>(
      sql`SELECT id, phase, finished_at FROM tasks${this.database.dialect.byPrimary} WHERE id > ${this.cursor} AND id < ${idFloor(now - shortest)} ORDER BY id LIMIT ${EXAMINED}`,
    );
    const old = rows
      .filter(({ phase, finished_at: finishedAt }) => {
        const keepMs = (this.retention.tasks as Partial<Record<TaskPhase, number>>)[phase];
        return keepMs !== undefined && finishedAt > 0 && finishedAt < now - keepMs;
      })
      .map(({ id }) => id);
    let deleted = 0;
    for (let from = 0; from < old.length; from += PAGE) deleted += await this.deleteTasks(old.slice(from, from + PAGE));
    const full = rows.length === EXAMINED;
    this.cursor = full ? (rows.at(-1)?.id ?? Buffer.alloc(16)) : Buffer.alloc(16);
    return { deleted, again: full };
  }

  /** Only what is still finished under the lock: an operator may have sent a task round again since it was looked at. */
  private async deleteTasks(ids: readonly Buffer[]): Promise<number> {
    const { byPrimary, lock } = this.database.dialect;
    return this.database.transaction(async (transaction) => {
      const finished = await transaction.query<{ id: Buffer }>(
        sql`SELECT id FROM tasks${byPrimary} WHERE id IN (${list(ids)}) AND finished_at > 0 ORDER BY id${lock}`,
      );
      if (finished.length === 0) return 0;
      const members = list(finished.map(({ id }) => id));
      await transaction.commitWith([
        sql`DELETE FROM attempts WHERE task_id IN (${members})`,
        sql`DELETE FROM timers WHERE task_id IN (${members})`,
        sql`DELETE FROM task_tags WHERE task_id IN (${members})`,
        sql`DELETE FROM task_progress WHERE task_id IN (${members})`,
        sql`DELETE FROM cancel_requests WHERE task_id IN (${members})`,
        sql`DELETE FROM task_events WHERE task_id IN (${members})`,
        sql`DELETE FROM task_checkpoints WHERE task_id IN (${members})`,
        sql`DELETE FROM tasks WHERE id IN (${members})`,
      ]);
      return finished.length;
    });
  }

  private async pruneKeys(now: number): Promise<number> {
    const rows = await this.database.query<{ tenant: string; key_hash: Buffer }>(
      sql`SELECT tenant, key_hash FROM idempotency_keys WHERE created_at < ${now - this.retention.idempotencyMs} ORDER BY created_at LIMIT ${PAGE}`,
    );
    const byTenant = new Map<string, Buffer[]>();
    for (const { tenant, key_hash: hash } of rows) byTenant.set(tenant, [...(byTenant.get(tenant) ?? []), hash]);
    for (const [tenant, hashes] of byTenant) {
      await this.database.execute(sql`DELETE FROM idempotency_keys WHERE tenant = ${tenant} AND key_hash IN (${list(hashes)})`);
    }
    return rows.length;
  }

  private async pruneWorkers(now: number): Promise<void> {
    await this.database.execute(
      sql`DELETE FROM workers WHERE state IN ('stopped', 'lost') AND heartbeat_at < ${now - this.retention.workersMs}`,
    );
  }

  /**
   * A request that its task outran: the outcome was committed first. Looked at again under the lock, because an operator may have
   * sent the task round again, and somebody else asked to cancel that round.
   */
  private async pruneCancels(): Promise<void> {
    const rows = await this.database.query<{ task_id: Buffer }>(
      sql`SELECT c.task_id FROM cancel_requests c JOIN tasks t ON t.id = c.task_id WHERE t.finished_at > 0 LIMIT ${PAGE}`,
    );
    if (rows.length === 0) return;
    const { byPrimary, lock } = this.database.dialect;
    const ids = list(rows.map((row) => row.task_id));
    await this.database.transaction(async (transaction) => {
      const finished = await transaction.query<{ id: Buffer }>(
        sql`SELECT id FROM tasks${byPrimary} WHERE id IN (${ids}) AND finished_at > 0 ORDER BY id${lock}`,
      );
      if (finished.length === 0) return;
      await transaction.commitWith([sql`DELETE FROM cancel_requests WHERE task_id IN (${list(finished.map(({ id }) => id))})`]);
    });
  }
}
