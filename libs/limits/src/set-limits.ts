/**
 * Sets the limits of a tenant, of one of its queues, or of every tenant, for a stated reason. The rows and the entry of the audit log
 * are one transaction; every process knows of it once its book has been read again.
 */
import { recordAudit } from '@app/audit';
import { type Database, list, type RowIds, rows, sql } from '@app/database';
import { TooManyLimits } from '@app/errors';
import { isLimitName, type LimitName } from './limit-names.js';

/** What is wanted, validated by the caller. */
export interface LimitChange {
  /** `*`: every tenant that has no limit of its own. */
  tenant: string;
  /** Empty: the whole tenant. */
  queue: string;
  /** At least one; null removes the row, so that what is less special holds again. */
  limits: Readonly<Partial<Record<LimitName, number | null>>>;
  /** Whose token it was: the `sub` claim, and the tenant in whose audit log the change is told. */
  actor: string;
  actorTenant: string;
  /** 1 … 500 characters. */
  reason: string;
}

/** A row of the table of limits. */
export interface SetLimit {
  queue: string;
  name: LimitName;
  value: number;
  /** ms since the epoch. */
  setAt: number;
  setBy: string;
  reason: string;
}

interface Row {
  queue: string;
  name: string;
  value: number;
  set_at: number;
  set_by: string;
  reason: string;
}

/** How many rows of a tenant are shown. */
const SHOWN_MAX = 1_000;

export class LimitSetter {
  constructor(
    private readonly database: Database,
    private readonly ids: RowIds,
    /** How many rows there may be; what is set at the same moment may go beyond by a few, which are then not read. */
    private readonly rowsMax: number,
  ) {}

  /** Throws TooManyLimits. */
  async set({ tenant, queue, limits, actor, actorTenant, reason }: LimitChange): Promise<void> {
    const { dialect } = this.database;
    const named = Object.entries(limits).sort(([a], [b]) => (a < b ? -1 : 1));
    const removed = named.filter(([, value]) => value === null).map(([name]) => name);
    const values = named.flatMap(([name, value]) => (value === null ? [] : [[tenant, queue, name, value, dialect.now, actor, reason]]));
    await this.database.transaction(async (transaction) => {
      const statements = [];
      if (removed.length > 0)
        statements.push(sql`DELETE FROM limits WHERE tenant = ${tenant} AND queue = ${queue} AND name IN (${list(removed)})`);
      if (values.length > 0)
        statements.push(
          sql`INSERT INTO limits (tenant, queue, name, value, set_at, set_by, reason) VALUES ${rows(values)}${dialect.overwrite(['tenant', 'queue', 'name'], ['value', 'set_at', 'set_by', 'reason'])}`,
        );
      await transaction.run(statements);
      const [found] = await transaction.query<{ total: number }>(sql`SELECT COUNT(*) AS total FROM limits`);
      if (values.length > 0 && Number(found?.total) > this.rowsMax) throw new TooManyLimits(this.rowsMax);
      const entry = { tenant: actorTenant, actor, action: 'limits.set', target: tenant, reason, detail: { queue, limits } };
      await transaction.commitWith([recordAudit(dialect, this.ids.next(), entry)]);
    });
  }

  /** The rows of the tenant, and not what they come to: the first thousand, in the order of queues and names. */
  async rowsOf(tenant: string): Promise<SetLimit[]> {
    const found = await this.database.query<Row>(
      sql`SELECT queue, name, value, set_at, set_by, reason FROM limits WHERE tenant = ${tenant} ORDER BY queue, name LIMIT ${SHOWN_MAX}`,
    );
    return found.flatMap(({ queue, name, value, set_at: setAt, set_by: setBy, reason }) =>
      isLimitName(name) ? [{ queue, name, value: Number(value), setAt: Number(setAt), setBy, reason }] : [],
    );
  }
}
