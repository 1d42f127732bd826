/**
 * The statements of what tenants use. A row of `tenant_usage` counts the tasks of a tenant that have not ended and the bytes of their
 * payloads; a row for one queue is there only where a queue's depth has been limited, and is kept up from then on by everybody.
 *
 * Taking is exact: it is one update of the tenant's row, in the transaction of the insert and as its last statement, so that the row is
 * locked for no longer than the commit. What goes beyond a limit breaks a CHECK constraint, which undoes the whole transaction in the
 * round trip that it was sent in. Giving back never waits for that row: it adds a row of its own to `usage_returns`, and somebody
 * takes those off later. So usage is at any moment what `tenant_usage` says less what `usage_returns` holds, and both change in the
 * transaction of the task.
 *
 * **The order of locks.** Whoever locks several of these in one transaction does so in this order, here and in every other lib, so
 * that two who meet wait for each other and not in a ring; each leaves out what it does not need, and nobody goes back:
 *
 * 1. idempotency keys, by hash;
 * 2. tasks that are there already, by id;
 * 3. `usage_returns`, passing over what others hold;
 * 4. `tenant_usage`, by tenant and queue, of all its tenants before anything that follows;
 * 5. `queues`, by tenant and name;
 * 6. rows that nobody else knows of yet: new tasks, their timers and tags, new returns.
 *
 * Where no queue is new, an insert takes its places (4) after its new rows (6), for which nobody can be waiting.
 */
import { type Dialect, join, list, rows, sql, type Sql } from '@app/database';

/** The constraint that a taking breaks where it goes beyond a limit. */
export const OVER_LIMIT = 'ck_tenant_usage_over';
/** How many returned rows are taken off in one step. */
export const RETURNS_MAX = 1_000;

/** What a group of tasks of one tenant needs, and what the tenant may. */
export interface Demand {
  tenant: string;
  tasks: number;
  payloadBytes: number;
  tasksMax: number;
  payloadBytesMax: number;
  /** By the name of the queue: how many of the tasks it gets, and how many it may hold. */
  queues: ReadonlyMap<string, { tasks: number; tasksMax: number }>;
}

export interface UsageRow {
  tenant: string;
  /** Empty: the whole tenant. */
  queue: string;
  tasks: number;
  payload_bytes: number;
}

export interface ReturnRow extends UsageRow {
  id: Buffer;
}

/** Makes the rows of tenants that have none yet. */
export function makeUsage(dialect: Dialect, tenants: readonly string[]): Sql {
  return sql`INSERT INTO tenant_usage (tenant, queue) VALUES ${rows([...tenants].sort().map((tenant) => [tenant, '']))}${dialect.keepExisting(['tenant', 'queue'])}`;
}

/** Takes what the demands need, or breaks OVER_LIMIT. One statement per tenant, in the order of the tenants. */
export function takeUsage(dialect: Dialect, demands: readonly Demand[]): Sql[] {
  return [...demands]
    .sort((a, b) => (a.tenant < b.tenant ? -1 : 1))
    .map(({ tenant, tasks, payloadBytes, tasksMax, payloadBytesMax, queues }) => {
      const names = [...queues.keys()].sort();
      const ofQueue = (value: (queue: { tasks: number; tasksMax: number }) => number): Sql =>
        join(
          [...queues].map(([name, queue]) => sql` WHEN ${name} THEN ${value(queue)}`),
          '',
        );
      const more = sql`CASE queue WHEN '' THEN ${tasks}${ofQueue((queue) => queue.tasks)} END`;
      const most = sql`CASE queue WHEN '' THEN ${tasksMax}${ofQueue((queue) => queue.tasksMax)} END`;
      const tooHeavy = sql`(queue = '' AND payload_bytes + ${payloadBytes} > ${payloadBytesMax})`;
      // The row is judged before it is changed: MySQL assigns from left to right, and reads what it has assigned.
      return sql`UPDATE tenant_usage${dialect.byPrimary} SET over_limit = CASE WHEN tasks + ${more} > ${most} OR ${tooHeavy} THEN 1 ELSE 0 END, tasks = tasks + ${more}, payload_bytes = payload_bytes + CASE queue WHEN '' THEN ${payloadBytes} ELSE 0 END WHERE tenant = ${tenant} AND queue IN (${list(['', ...names])})`;
    });
}

/** Reads what the demands are taken from. Takes no lock. */
export function readUsage(demands: readonly Demand[]): Sql {
  const whose = demands.map(({ tenant, queues }) => sql`(tenant = ${tenant} AND queue IN (${list(['', ...[...queues.keys()].sort()])}))`);
  return sql`SELECT tenant, queue, tasks, payload_bytes FROM tenant_usage WHERE ${join(whose, ' OR ')}`;
}

/** Whether a taking of the demand would break OVER_LIMIT in this row. */
export function goesBeyond({ queue, tasks, payload_bytes: bytes }: UsageRow, demand: Demand): boolean {
  if (queue === '') return Number(tasks) + demand.tasks > demand.tasksMax || Number(bytes) + demand.payloadBytes > demand.payloadBytesMax;
  const ofQueue = demand.queues.get(queue);
  return ofQueue !== undefined && Number(tasks) + ofQueue.tasks > ofQueue.tasksMax;
}

/** Reads and locks the rows of a tenant and of some of its queues. */
export function lockUsage(dialect: Dialect, tenant: string, queues: readonly string[]): Sql {
  return sql`SELECT tenant, queue, tasks, payload_bytes FROM tenant_usage${dialect.byPrimary} WHERE tenant = ${tenant} AND queue IN (${list(['', ...queues])}) ORDER BY queue${dialect.lock}`;
}

/** Notes what ended tasks give back. */
export function noteReturns(returned: readonly ReturnRow[]): Sql {
  const values = returned.map(({ tenant, id, queue, tasks, payload_bytes: bytes }) => [tenant, id, queue, tasks, bytes]);
  return sql`INSERT INTO usage_returns (tenant, id, queue, tasks, payload_bytes) VALUES ${rows(values)}`;
}

/** Reads and locks what was given back, a page of it, leaving out what somebody else is taking off. */
export function lockReturns(dialect: Dialect, tenants: readonly string[] | null): Sql {
  const whose = tenants === null ? sql`` : sql` WHERE tenant IN (${list(tenants)})`;
  return sql`SELECT tenant, id, queue, tasks, payload_bytes FROM usage_returns${dialect.byPrimary}${whose} ORDER BY tenant, id LIMIT ${RETURNS_MAX}${dialect.lockFree}`;
}

/** Takes locked returns off the usage and deletes them. */
export function takeOff(dialect: Dialect, returned: readonly ReturnRow[]): Sql[] {
  if (returned.length === 0) return [];
  const byTenant = new Map<string, ReturnRow[]>();
  for (const row of returned) byTenant.set(row.tenant, [...(byTenant.get(row.tenant) ?? []), row]);
  const ordered = [...byTenant].sort(([a], [b]) => (a < b ? -1 : 1));
  const updates = ordered.map(([tenant, members]) => {
    const queues = new Map<string, number>();
    for (const { queue, tasks } of members) queues.set(queue, (queues.get(queue) ?? 0) + Number(tasks));
    const total = sumOf(members, 'tasks');
    const less = join(
      [...queues].map(([queue, tasks]) => sql` WHEN ${queue} THEN ${tasks}`),
      '',
    );
    return sql`UPDATE tenant_usage${dialect.byPrimary} SET tasks = tasks - CASE queue WHEN '' THEN ${total}${less} END, payload_bytes = payload_bytes - CASE queue WHEN '' THEN ${sumOf(members, 'payload_bytes')} ELSE 0 END WHERE tenant = ${tenant} AND queue IN (${list(['', ...[...queues.keys()].sort()])})`;
  });
  const deletes = ordered.map(
    ([tenant, members]) => sql`DELETE FROM usage_returns WHERE tenant = ${tenant} AND id IN (${list(members.map(({ id }) => id))})`,
  );
  return [...updates, ...deletes];
}

export function sumOf(members: readonly UsageRow[], column: 'tasks' | 'payload_bytes'): number {
  return members.reduce((sum, row) => sum + Number(row[column]), 0);
}
