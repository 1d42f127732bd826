/**
 * Deletes history that is older than its retention, oldest first and a small page at a time, so that it never holds for long what
 * the hot path waits for. Any number of schedulers may do it at once: a task that one of them holds is passed by the others; of
 * everything else (keys, the audit log, bulk operations, workers, requests to cancel) they may find the same page, and who comes
 * second waits for the first and deletes nothing. A part that fails keeps no other from its turn.
 */
import { type Database, idFloor, list, sql } from '@app/database';
import { databaseNow } from './database-now.js';
import { TaskWalk } from './prune-tasks.js';
import { FINAL_STATES, type FinalState } from './states.js';

const PAGE = 500;

export interface Retention {
  /** How long a finished task is kept, in ms. */
  readonly tasks: Readonly<Record<FinalState, number>>;
  readonly idempotencyMs: number;
  /** How long the row of a worker that is gone is kept, in ms. */
  readonly workersMs: number;
  /** How long an entry of the audit log is kept, in ms. */
  readonly auditMs: number;
  /** How long a bulk operation is kept after it finished, in ms. */
  readonly bulkMs: number;
}

interface Step {
  deleted: number;
  again: boolean;
}
const NOTHING: Step = { deleted: 0, again: false };

export class HistoryPruner {
  private readonly walks: readonly TaskWalk[];

  constructor(
    private readonly database: Database,
    private readonly retention: Retention,
  ) {
    const durations = [...new Set(Object.values(retention.tasks))];
    this.walks = durations.map((keptMs) => {
      const states = FINAL_STATES.filter((state) => retention.tasks[state] === keptMs);
      return new TaskWalk(database, states, keptMs);
    });
  }

  /**
   * One page of everything that is kept for a time; `again` while there is more to walk. Every part has its turn before it throws
   * what the one that failed did, or an AggregateError of several.
   */
  async prune(): Promise<{ deleted: number; again: boolean }> {
    const now = await databaseNow(this.database);
    const paged = async (count: Promise<number>): Promise<Step> => ({ deleted: await count, again: (await count) === PAGE });
    const parts: readonly (() => Promise<Step>)[] = [
      ...this.walks.map((walk) => () => walk.step(now)),
      () => this.pruneWorkers(now),
      () => this.pruneCancels(),
      () => paged(this.pruneKeys(now)),
      () => paged(this.pruneAudit(now)),
      () => paged(this.pruneBulk(now)),
    ];
    const steps: Step[] = [];
    const failures: unknown[] = [];
    for (const part of parts) {
      try {
        steps.push(await part());
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 1) throw new AggregateError(failures, 'Several kinds of history could not be deleted.');
    if (failures.length > 0) throw failures[0];
    return { deleted: steps.reduce((sum, { deleted }) => sum + deleted, 0), again: steps.some(({ again }) => again) };
  }

  /** By age once more where it deletes: a key that another pruner has deleted meanwhile may be in use again. */
  private async pruneKeys(now: number): Promise<number> {
    const oldest = now - this.retention.idempotencyMs;
    const rows = await this.database.query<{ tenant: string; key_hash: Buffer }>(
      sql`SELECT tenant, key_hash FROM idempotency_keys WHERE created_at < ${oldest} ORDER BY created_at LIMIT ${PAGE}`,
    );
    const byTenant = new Map<string, Buffer[]>();
    for (const { tenant, key_hash: hash } of rows) byTenant.set(tenant, [...(byTenant.get(tenant) ?? []), hash]);
    for (const [tenant, hashes] of byTenant) {
      await this.database.execute(
        sql`DELETE FROM idempotency_keys WHERE tenant = ${tenant} AND key_hash IN (${list(hashes)}) AND created_at < ${oldest}`,
      );
    }
    return rows.length;
  }

  /** Ids are in the order of time, so the oldest come first without an index of their own. */
  private async pruneAudit(now: number): Promise<number> {
    const found = await this.database.query<{ id: Buffer }>(
      sql`SELECT id FROM audit_entries WHERE id < ${idFloor(now - this.retention.auditMs)} ORDER BY id LIMIT ${PAGE}`,
    );
    if (found.length > 0) await this.database.execute(sql`DELETE FROM audit_entries WHERE id IN (${list(found.map(({ id }) => id))})`);
    return found.length;
  }

  private async pruneBulk(now: number): Promise<number> {
    const { bulkMs } = this.retention;
    const found = await this.database.query<{ id: Buffer }>(
      sql`SELECT id FROM bulk_operations WHERE id < ${idFloor(now - bulkMs)} AND finished_at > 0 AND finished_at < ${now - bulkMs} ORDER BY id LIMIT ${PAGE}`,
    );
    if (found.length > 0) await this.database.execute(sql`DELETE FROM bulk_operations WHERE id IN (${list(found.map(({ id }) => id))})`);
    return found.length;
  }

  private async pruneWorkers(now: number): Promise<Step> {
    await this.database.execute(
      sql`DELETE FROM workers WHERE state IN ('stopped', 'lost') AND heartbeat_at < ${now - this.retention.workersMs}`,
    );
    return NOTHING;
  }

  /**
   * A request that its task outran: the outcome was committed first. Looked at again under the lock, because an operator may have
   * sent the task round again, and somebody else asked to cancel that round.
   */
  private async pruneCancels(): Promise<Step> {
    const rows = await this.database.query<{ task_id: Buffer }>(
      sql`SELECT c.task_id FROM cancel_requests c JOIN tasks t ON t.id = c.task_id WHERE t.finished_at > 0 LIMIT ${PAGE}`,
    );
    if (rows.length === 0) return NOTHING;
    const { byPrimary, lock } = this.database.dialect;
    const ids = list(rows.map((row) => row.task_id));
    await this.database.transaction(async (transaction) => {
      const finished = await transaction.query<{ id: Buffer }>(
        sql`SELECT id FROM tasks${byPrimary} WHERE id IN (${ids}) AND finished_at > 0 ORDER BY id${lock}`,
      );
      if (finished.length === 0) return;
      await transaction.commitWith([sql`DELETE FROM cancel_requests WHERE task_id IN (${list(finished.map(({ id }) => id))})`]);
    });
    return { deleted: 0, again: rows.length === PAGE };
  }
}
