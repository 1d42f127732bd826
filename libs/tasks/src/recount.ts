/**
 * Counts again what tenants use, one tenant per step, and corrects what is wrong: an older build that ran beside this one for a while,
 * or somebody who changed rows by hand. Nobody is kept waiting for the count. It is one statement, so the tasks, what was given back
 * and what the usage says are of one moment; whoever changes one of them changes another by as much in the same transaction, so the
 * difference of that moment is the difference of any later one, and is added to whatever the usage says by then.
 *
 * Any number of recounters share the tenants: whose turn it is is taken by compare-and-set on the time of the last count, and the
 * correction is made only where nobody has counted since.
 */
import { type Database, sql, type Sql, type Transaction } from '@app/database';
import { makeUsage } from '@app/limits';
import { bytesOf, countOf } from './quotas.js';

/** How many tenants without a row are given one at once. */
const NEW_MAX = 1_000;

/** What the usage of a tenant was off by before it was corrected: positive where it said too little. */
export interface Correction {
  tenant: string;
  tasks: number;
  payloadBytes: number;
  /** By the name of the queue, where its depth is limited. */
  queues: Readonly<Record<string, number>>;
}

interface Turn {
  tenant: string;
  counted_at: number;
}

interface CountedRow {
  queue: string;
  tasks: number | string;
  bytes: number | string;
  returned: number | string;
  bytes_returned: number | string;
  /** Null where the depth of the queue is not limited. */
  said: number | string | null;
  bytes_said: number | string | null;
}

export class UsageRecounter {
  constructor(
    private readonly database: Database,
    /** How long a count is good for, in ms. */
    private readonly everyMs: number,
  ) {}

  /** Gives a row to tenants that have queues and none; returns how many had none. */
  async adopt(): Promise<number> {
    const found = await this.database.query<{ tenant: string }>(
      sql`SELECT DISTINCT q.tenant FROM queues q WHERE NOT EXISTS (SELECT 1 FROM tenant_usage u WHERE u.tenant = q.tenant AND u.queue = '') LIMIT ${NEW_MAX}`,
    );
    if (found.length === 0) return 0;
    return this.database.execute(
      makeUsage(
        this.database.dialect,
        found.map(({ tenant }) => tenant),
      ),
    );
  }

  /** Counts the tenant whose count is the oldest, if it is old enough. Throws what the database threw; the turn is over then, too. */
  async step(): Promise<{ taken: number; correction: Correction | null }> {
    const turn = await this.takeTurn();
    if (turn === null) return { taken: 0, correction: null };
    const found = await this.database.query<CountedRow>(this.count(turn.tenant));
    const correction = differenceOf(turn.tenant, found);
    const isRight = correction.tasks === 0 && correction.payloadBytes === 0 && Object.keys(correction.queues).length === 0;
    if (isRight || !(await this.correct(turn, correction))) return { taken: 1, correction: null };
    return { taken: 1, correction };
  }

  private async takeTurn(): Promise<Turn | null> {
    const { by, lockFree, now } = this.database.dialect;
    return this.database.transaction(async (transaction) => {
      const [due] = await transaction.query<{ tenant: string }>(
        sql`SELECT tenant FROM tenant_usage${by('ix_tenant_usage_counted')} WHERE queue = '' AND counted_at <= ${now} - ${this.everyMs} ORDER BY counted_at LIMIT 1${lockFree}`,
      );
      if (due === undefined) return null;
      // Never the same twice, also within a millisecond: it is what a turn is known by.
      await transaction.execute(
        sql`UPDATE tenant_usage SET counted_at = CASE WHEN counted_at < ${now} THEN ${now} ELSE counted_at + 1 END WHERE tenant = ${due.tenant} AND queue = ''`,
      );
      const [turn] = await transaction.query<Turn>(
        sql`SELECT tenant, counted_at FROM tenant_usage WHERE tenant = ${due.tenant} AND queue = ''`,
      );
      return turn ?? null;
    });
  }

  /** A row per queue of the tenant, and first one of no queue, which has what the usage says of the whole tenant. */
  private count(tenant: string): Sql {
    const byPhase = this.database.dialect.by('ix_tasks_phase');
    const place = [byPhase, sql`q.tenant`, sql`q.name`] as const;
    const said = (column: Sql, queue: Sql): Sql =>
      sql`(SELECT u.${column} FROM tenant_usage u WHERE u.tenant = ${tenant} AND u.queue = ${queue})`;
    const returned = (column: Sql): Sql =>
      sql`(SELECT COALESCE(SUM(r.${column}), 0) FROM usage_returns r WHERE r.tenant = q.tenant AND r.queue = q.name)`;
    const [tasks, bytes] = [sql`tasks`, sql`payload_bytes`];
    return sql`SELECT '' AS queue, 0 AS tasks, 0 AS bytes, 0 AS returned, 0 AS bytes_returned, ${said(tasks, sql`''`)} AS said, ${said(bytes, sql`''`)} AS bytes_said UNION ALL SELECT q.name, ${countOf(...place)}, ${bytesOf(...place)}, ${returned(tasks)}, ${returned(bytes)}, ${said(tasks, sql`q.name`)}, NULL FROM queues q WHERE q.tenant = ${tenant}`;
  }

  private async correct({ tenant, counted_at: countedAt }: Turn, { tasks, payloadBytes, queues }: Correction): Promise<boolean> {
    const { byPrimary } = this.database.dialect;
    return this.database.transaction(async (transaction) => {
      if (!(await this.isOurs(transaction, tenant, countedAt))) return false;
      const names = Object.keys(queues).sort();
      await transaction.commitWith([
        sql`UPDATE tenant_usage SET tasks = tasks + ${tasks}, payload_bytes = payload_bytes + ${payloadBytes} WHERE tenant = ${tenant} AND queue = ''`,
        ...names.map(
          (queue) =>
            sql`UPDATE tenant_usage${byPrimary} SET tasks = tasks + ${queues[queue] ?? 0} WHERE tenant = ${tenant} AND queue = ${queue}`,
        ),
      ]);
      return true;
    });
  }

  private async isOurs(transaction: Transaction, tenant: string, countedAt: number): Promise<boolean> {
    const [row] = await transaction.query<Turn>(
      sql`SELECT counted_at FROM tenant_usage WHERE tenant = ${tenant} AND queue = ''${this.database.dialect.lock}`,
    );
    return row !== undefined && Number(row.counted_at) === Number(countedAt);
  }
}

function differenceOf(tenant: string, found: readonly CountedRow[]): Correction {
  const total = { tasks: 0, payloadBytes: 0 };
  const queues: Record<string, number> = {};
  for (const row of found) {
    if (row.queue === '') {
      total.tasks -= Number(row.said ?? 0);
      total.payloadBytes -= Number(row.bytes_said ?? 0);
      continue;
    }
    const tasks = Number(row.tasks) + Number(row.returned);
    total.tasks += tasks;
    total.payloadBytes += Number(row.bytes) + Number(row.bytes_returned);
    if (row.said !== null && tasks !== Number(row.said)) queues[row.queue] = tasks - Number(row.said);
  }
  return { tenant, ...total, queues };
}
