/**
 * Operations over many tasks, as people see them: started, looked at, aborted. A start writes one row and its audit entry, and
 * touches no task; `bulk-runner.ts` does the work. Starts of one tenant take turns, so that the bound on how many may run holds
 * however many ask at once.
 */
import { createHash } from 'node:crypto';
import { recordAudit } from '@app/audit';
import { type Database, ID_MAX, idBytes, idText, NOBODY, type RowIds, sql, type Sql, type Transaction } from '@app/database';
import { IdempotencyKeyReused, InvalidState, NotFound, TooManyOperations } from '@app/errors';
import type { BulkAction, BulkRow, BulkState } from './history-entities.js';
import type { IdempotencyClaim, TaskFilter } from './task.js';

const NOTHING = Buffer.alloc(32);
/** The place in the table of keys whose lock a start holds; no key of a request has this hash. */
const TURN = createHash('sha256').update('the turn of a bulk operation').digest();
const COLUMNS = sql`id, action, filter, state, rate_per_second, examined, done, skipped, requested_by, reason, error, created_at, updated_at, finished_at`;

/** What is wanted, validated by the caller. */
export interface NewBulk {
  tenant: string;
  action: BulkAction;
  /** At least one field. */
  filter: TaskFilter;
  /** Why, 1 to 500 characters. */
  reason: string;
  /** 1 … 1,000 */
  ratePerSecond: number;
  /** The `sub` claim. */
  requestedBy: string;
  idempotency: IdempotencyClaim | null;
}

export interface BulkView {
  id: string;
  action: BulkAction;
  filter: TaskFilter;
  state: BulkState;
  ratePerSecond: number;
  /** Tasks looked at, moved, and left alone because they had changed meanwhile, been asked to stop before, or found no room. */
  examined: number;
  done: number;
  skipped: number;
  requestedBy: string;
  reason: string;
  /** Why it `failed`. */
  error: string | null;
  createdAt: number;
  updatedAt: number;
  finishedAt: number | null;
}

export class BulkOperations {
  constructor(
    private readonly database: Database,
    private readonly ids: RowIds,
    /** How many of one tenant may run at a time. */
    private readonly runningMax: number,
  ) {}

  /**
   * Throws TooManyOperations where as many as may are running, IdempotencyKeyReused where the key came with another request, and
   * CommitUnknown where it may have been started: with a key, repeating it is safe.
   */
  async start(wanted: NewBulk): Promise<{ operation: BulkView; replayed: boolean }> {
    const { tenant, idempotency } = wanted;
    const id = this.ids.next();
    const earlier = await this.database.transaction(async (transaction) => {
      await transaction.execute(this.claim(tenant, { keyHash: TURN, fingerprint: NOTHING }, NOBODY));
      const holder = idempotency === null ? null : await this.holderOf(transaction, tenant, idempotency, id);
      if (holder !== null) return holder;
      const [running] = await transaction.query<{ total: number }>(
        sql`SELECT COUNT(*) AS total FROM bulk_operations${this.database.dialect.by('ix_bulk_operations_due')} WHERE state = 'running' AND tenant = ${tenant}`,
      );
      if (Number(running?.total) >= this.runningMax) throw new TooManyOperations(this.runningMax);
      await transaction.commitWith(this.insertion(id, wanted));
      return null;
    });
    return { operation: await this.get(tenant, idText(earlier ?? id)), replayed: earlier !== null };
  }

  /** Throws NotFound, also for another tenant's. */
  async get(tenant: string, id: string): Promise<BulkView> {
    const [row] = await this.database.query<BulkRow>(
      sql`SELECT ${COLUMNS} FROM bulk_operations WHERE id = ${idBytes(id)} AND tenant = ${tenant}`,
    );
    if (row === undefined) throw new NotFound('bulk operation');
    return viewOf(row);
  }

  /** Newest first. `limit` 1 … 200; `cursor` is a `nextCursor`. */
  async list(tenant: string, page: { limit: number; cursor: string | null }): Promise<{ items: BulkView[]; nextCursor: string | null }> {
    const before = page.cursor === null ? ID_MAX : idBytes(page.cursor);
    const found = await this.database.query<BulkRow>(
      sql`SELECT ${COLUMNS} FROM bulk_operations${this.database.dialect.by('ix_bulk_operations_tenant')} WHERE tenant = ${tenant} AND id < ${before} ORDER BY id DESC LIMIT ${page.limit}`,
    );
    const last = found.length === page.limit ? found.at(-1)?.id : undefined;
    return { items: found.map(viewOf), nextCursor: last === undefined ? null : idText(last) };
  }

  /**
   * Waits for a step under way; none follows. What was done stays done. `reason`: at most 500 characters. Throws NotFound, or
   * InvalidState for one that has ended.
   */
  async abort(tenant: string, id: string, actor: string, reason = ''): Promise<BulkView> {
    const bytes = idBytes(id);
    const { dialect } = this.database;
    await this.database.transaction(async (transaction) => {
      const [row] = await transaction.query<Pick<BulkRow, 'state' | 'action' | 'done' | 'skipped'>>(
        sql`SELECT state, action, done, skipped FROM bulk_operations WHERE id = ${bytes} AND tenant = ${tenant}${dialect.lock}`,
      );
      if (row === undefined) throw new NotFound('bulk operation');
      if (row.state !== 'running') throw new InvalidState(`The operation is already ${row.state}; only a running one can be aborted.`);
      const detail = { action: row.action, done: row.done, skipped: row.skipped };
      await transaction.commitWith([
        sql`UPDATE bulk_operations SET state = 'aborted', finished_at = ${dialect.now}, updated_at = ${dialect.now} WHERE id = ${bytes} AND state = 'running'`,
        recordAudit(dialect, this.ids.next(), { tenant, actor, action: 'bulk.abort', target: id, reason, detail }),
      ]);
    });
    return this.get(tenant, id);
  }

  private insertion(id: Buffer, { tenant, action, filter, reason, ratePerSecond, requestedBy }: NewBulk): Sql[] {
    const { dialect } = this.database;
    const detail = { action, filter, ratePerSecond };
    return [
      sql`INSERT INTO bulk_operations (id, tenant, action, filter, state, rate_per_second, cursor_id, next_at, requested_by, reason, error, created_at, updated_at) VALUES (${id}, ${tenant}, ${action}, ${JSON.stringify(filter)}, 'running', ${ratePerSecond}, ${NOBODY}, ${dialect.now}, ${requestedBy}, ${reason}, '', ${dialect.now}, ${dialect.now})`,
      recordAudit(dialect, this.ids.next(), { tenant, actor: requestedBy, action: 'bulk.start', target: idText(id), reason, detail }),
    ];
  }

  /** Takes the key for the new operation, or tells which earlier one has it. One whose operation is pruned is free again. */
  private async holderOf(transaction: Transaction, tenant: string, key: IdempotencyClaim, id: Buffer): Promise<Buffer | null> {
    await transaction.execute(this.claim(tenant, key, id));
    const [held] = await transaction.query<{ fingerprint: Buffer; task_id: Buffer; known: Buffer | null }>(
      sql`SELECT k.fingerprint, k.task_id, b.id AS known FROM idempotency_keys k LEFT JOIN bulk_operations b ON b.id = k.task_id WHERE k.tenant = ${tenant} AND k.key_hash = ${key.keyHash}`,
    );
    if (held === undefined || held.task_id.equals(id)) return null;
    if (!held.fingerprint.equals(key.fingerprint)) throw new IdempotencyKeyReused();
    if (held.known !== null) return held.task_id;
    await transaction.execute(
      sql`UPDATE idempotency_keys SET task_id = ${id} WHERE tenant = ${tenant} AND key_hash = ${key.keyHash} AND task_id = ${held.task_id}`,
    );
    return null;
  }

  private claim(tenant: string, { keyHash, fingerprint }: IdempotencyClaim, id: Buffer): Sql {
    const { now, keepExisting } = this.database.dialect;
    return sql`INSERT INTO idempotency_keys (tenant, key_hash, fingerprint, task_id, created_at) VALUES (${tenant}, ${keyHash}, ${fingerprint}, ${id}, ${now})${keepExisting(['tenant', 'key_hash'])}`;
  }
}

function viewOf(row: BulkRow): BulkView {
  return {
    id: idText(row.id),
    action: row.action,
    filter: JSON.parse(row.filter) as TaskFilter,
    state: row.state,
    ratePerSecond: row.rate_per_second,
    examined: row.examined,
    done: row.done,
    skipped: row.skipped,
    requestedBy: row.requested_by,
    reason: row.reason,
    error: row.error === '' ? null : row.error,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    finishedAt: row.finished_at === 0 ? null : row.finished_at,
  };
}
