/**
 * Keeps tenants within their quotas: how many tasks that have not ended they have, how heavy the payloads of those are, and how many
 * one queue holds. What comes to life takes its place in the transaction that makes it; what ends gives it back in the transaction
 * that ends it. The statements, and why they are what they are, stand in `@app/limits`.
 *
 * The quick way hopes: the take goes along with the insert, and where it does not fit nothing has happened. Then, for those who are
 * full, and for whoever was refused a moment ago at once, the careful way locks the usage first, takes off what was given back, lets in
 * what fits, in order, and refuses the rest.
 */
import { breaksCheck, type Database, join, type RowIds, sql, type Sql, type Transaction } from '@app/database';
import { QuotaExceeded } from '@app/errors';
import {
  type Demand,
  type LimitBook,
  lockReturns,
  lockUsage,
  makeUsage,
  goesBeyond,
  noteReturns,
  OVER_LIMIT,
  QUEUE_LIMIT,
  readUsage,
  type ReturnRow,
  sumOf,
  takeOff,
  takeUsage,
  type UsageRow,
} from '@app/limits';
import { laneNumber, LANES } from '@app/queue';

/** What a task that has not ended takes up. */
export interface Place {
  tenant: string;
  queue: string;
  /** Of the payload, in UTF-8. */
  payloadBytes: number;
}

/**
 * The bytes of a stored payload, for a statement that reads `tasks`. Payloads are looked at only where a row does not say it, because it
 * is older than that column; by a select of its own, or the engine would fetch the payload of every row that it reads.
 */
export const PAYLOAD_BYTES: Sql = sql`CASE WHEN tasks.payload_bytes > 0 THEN tasks.payload_bytes ELSE (SELECT OCTET_LENGTH(old.payload) FROM tasks old WHERE old.id = tasks.id) END`;

/** How many queues of limited depth and how many full tenants are remembered. */
const REMEMBERED_MAX = 10_000;

/** The tasks of a queue that have not ended, by one range of the index for each of these. */
const UNENDED = ['waiting', 'unrung', 'live'] as const;

export class TaskQuotas {
  /** Queues whose depth is counted in a row of their own. */
  private readonly counted = new Set<string>();
  private readonly tight = new Set<string>();

  constructor(
    private readonly database: Database,
    private readonly book: LimitBook,
    private readonly ids: RowIds,
  ) {}

  /** Whether the tenant had no room a moment ago, so that hoping would only cost. */
  isTight(tenant: string): boolean {
    return this.tight.has(tenant);
  }

  /** Whether this is what the quick way ends with where not all fits. */
  isOver(error: unknown): boolean {
    return breaksCheck(error, OVER_LIMIT);
  }

  /** Makes sure that every queue whose depth is limited is counted. To be called before a transaction that takes. */
  async prepare(places: readonly Place[]): Promise<void> {
    for (const { tenant, queue } of places) {
      if (this.book.ofQueue(tenant, queue)[QUEUE_LIMIT] >= this.book.of(tenant)['tasks.queued']) continue;
      const key = `${tenant} ${queue}`;
      if (this.counted.has(key)) continue;
      await this.startCounting(tenant, queue);
      if (this.counted.size >= REMEMBERED_MAX) this.counted.clear();
      this.counted.add(key);
    }
  }

  /** The quick way: the last statements of the transaction that makes these tasks. */
  take(places: readonly Place[]): Sql[] {
    return takeUsage(this.database.dialect, this.demands(places));
  }

  /** The quick way has ended with too much for somebody: finds out for whom, without a lock. They are tight from now on. */
  async findTight(places: readonly Place[]): Promise<void> {
    const demands = this.demands(places);
    const found = await this.database.query<UsageRow>(readUsage(demands));
    for (const row of found) {
      const demand = demands.find(({ tenant }) => tenant === row.tenant);
      if (demand !== undefined && goesBeyond(row, demand)) this.remember(row.tenant);
    }
  }

  /**
   * The careful way. Says in order what becomes of each: null where it fits, the refusal where it does not. `statements` belong at the
   * end of the same transaction.
   */
  async fit(transaction: Transaction, places: readonly Place[]): Promise<{ refusals: (QuotaExceeded | null)[]; statements: Sql[] }> {
    const { dialect } = this.database;
    const demands = this.demands(places);
    const outcomes = await transaction.run([
      lockReturns(
        dialect,
        demands.map(({ tenant }) => tenant),
      ),
      makeUsage(
        dialect,
        demands.map(({ tenant }) => tenant),
      ),
      ...demands.map(({ tenant, queues }) => lockUsage(dialect, tenant, [...queues.keys()].sort())),
    ]);
    const returned = (outcomes[0]?.rows ?? []) as unknown as ReturnRow[];
    const free = new Room(
      outcomes.slice(2).flatMap(({ rows }) => rows as unknown as UsageRow[]),
      returned,
      this.book,
    );
    const refusals = places.map((place) => free.take(place));
    for (const { tenant } of demands) this.tight.delete(tenant);
    refusals.forEach((refusal, index) => {
      const tenant = places[index]?.tenant;
      if (refusal !== null && tenant !== undefined) this.remember(tenant);
    });
    const fitting = places.filter((_, index) => refusals[index] === null);
    return { refusals, statements: [...takeOff(dialect, returned), ...this.take(fitting)] };
  }

  /** What tasks that end in this transaction give back; empty where none ends. */
  giveBack(places: readonly Place[]): Sql[] {
    if (places.length === 0) return [];
    const returned = new Map<string, ReturnRow>();
    for (const { tenant, queue, payloadBytes } of places) {
      const key = `${tenant} ${queue}`;
      const row = returned.get(key);
      if (row === undefined) returned.set(key, { id: this.ids.next(), tenant, queue, tasks: 1, payload_bytes: Number(payloadBytes) });
      else {
        row.tasks += 1;
        row.payload_bytes += Number(payloadBytes);
      }
    }
    return [noteReturns([...returned.values()])];
  }

  private remember(tenant: string): void {
    if (this.tight.size < REMEMBERED_MAX) this.tight.add(tenant);
  }

  private demands(places: readonly Place[]): Demand[] {
    const demands = new Map<string, Demand & { queues: Map<string, { tasks: number; tasksMax: number }> }>();
    for (const { tenant, queue, payloadBytes } of places) {
      let demand = demands.get(tenant);
      if (demand === undefined) {
        const limits = this.book.of(tenant);
        const most = { tasksMax: limits['tasks.queued'], payloadBytesMax: limits['payload.bytes'] };
        demands.set(tenant, (demand = { tenant, tasks: 0, payloadBytes: 0, ...most, queues: new Map() }));
      }
      demand.tasks += 1;
      demand.payloadBytes += payloadBytes;
      const ofQueue = demand.queues.get(queue);
      if (ofQueue === undefined) demand.queues.set(queue, { tasks: 1, tasksMax: this.book.ofQueue(tenant, queue)[QUEUE_LIMIT] });
      else ofQueue.tasks += 1;
    }
    return [...demands.values()].sort((a, b) => (a.tenant < b.tenant ? -1 : 1));
  }

  /**
   * Under the lock of the tenant's row nobody takes, and nobody takes off: whoever took before is counted, whoever takes after finds
   * the row. Count and returns are of one statement, so they are of one moment.
   */
  private async startCounting(tenant: string, queue: string): Promise<void> {
    const { dialect } = this.database;
    await this.database.transaction(async (transaction) => {
      const outcomes = await transaction.run([makeUsage(dialect, [tenant]), lockUsage(dialect, tenant, [queue])]);
      if ((outcomes[1]?.rows.length ?? 0) > 1) return;
      await transaction.commitWith([
        sql`INSERT INTO tenant_usage (tenant, queue, tasks) SELECT ${tenant}, ${queue}, ${countOf(dialect.by('ix_tasks_phase'), sql`${tenant}`, sql`${queue}`)} + (SELECT COALESCE(SUM(tasks), 0) FROM usage_returns WHERE tenant = ${tenant} AND queue = ${queue})`,
      ]);
    });
  }
}

/** How many tasks of the queue have not ended, as an expression: one range of the index for each phase and lane. */
export function countOf(byPhase: Sql, tenant: Sql, queue: Sql): Sql {
  return overRanges(sql`COUNT(*)`, byPhase, tenant, queue);
}

/** The bytes of their payloads, as an expression. */
export function bytesOf(byPhase: Sql, tenant: Sql, queue: Sql): Sql {
  return overRanges(sql`COALESCE(SUM(${PAYLOAD_BYTES}), 0)`, byPhase, tenant, queue);
}

function overRanges(figure: Sql, byPhase: Sql, tenant: Sql, queue: Sql): Sql {
  const ranges = UNENDED.flatMap((phase) =>
    LANES.map(
      (lane) =>
        sql`(SELECT ${figure} FROM tasks${byPhase} WHERE tasks.phase = ${phase} AND tasks.queue = ${queue} AND tasks.lane = ${laneNumber(lane)} AND tasks.tenant = ${tenant})`,
    ),
  );
  return join(ranges, ' + ');
}

/** What is left for the tenants of one group, while it is handed out. */
class Room {
  private readonly used = new Map<string, { tasks: number; payloadBytes: number }>();

  constructor(
    locked: readonly UsageRow[],
    returned: readonly ReturnRow[],
    private readonly book: LimitBook,
  ) {
    for (const { tenant, queue, tasks, payload_bytes: bytes } of locked) {
      const back = returned.filter((row) => row.tenant === tenant && (queue === '' || row.queue === queue));
      this.used.set(`${tenant} ${queue}`, {
        tasks: Number(tasks) - sumOf(back, 'tasks'),
        payloadBytes: Number(bytes) - sumOf(back, 'payload_bytes'),
      });
    }
  }

  /** Takes the place, or says which quota leaves none. */
  take({ tenant, queue, payloadBytes }: Place): QuotaExceeded | null {
    const limits = this.book.of(tenant);
    const depthMax = this.book.ofQueue(tenant, queue)[QUEUE_LIMIT];
    const whole = this.used.get(`${tenant} `) ?? { tasks: 0, payloadBytes: 0 };
    const ofQueue = this.used.get(`${tenant} ${queue}`);
    if (whole.tasks + 1 > limits['tasks.queued'])
      return new QuotaExceeded('tasks.queued', limits['tasks.queued'], 'tasks of this tenant that have not ended');
    if (whole.payloadBytes + payloadBytes > limits['payload.bytes'])
      return new QuotaExceeded('payload.bytes', limits['payload.bytes'], 'bytes of payload of tasks that have not ended');
    if (ofQueue !== undefined && ofQueue.tasks + 1 > depthMax)
      return new QuotaExceeded(QUEUE_LIMIT, depthMax, 'tasks of this queue that have not ended');
    whole.tasks += 1;
    whole.payloadBytes += payloadBytes;
    if (ofQueue !== undefined) ofQueue.tasks += 1;
    return null;
  }
}
