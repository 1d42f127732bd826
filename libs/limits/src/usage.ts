/**
 * What tenants use of what their limits bound: read for people, and kept up by taking off what ended tasks have given back. Any
 * number of processes may do both at once.
 */
import { type Database, sql } from '@app/database';
import { lockReturns, RETURNS_MAX, takeOff, type ReturnRow } from './usage.sql.js';

export interface Usage {
  /** Tasks that have not ended. */
  tasks: number;
  /** Bytes of their payloads together, in UTF-8. */
  payloadBytes: number;
  /** Tasks that have not ended by the name of the queue, where a queue's depth has been limited; the first thousand queues. */
  queues: ReadonlyMap<string, number>;
}

const QUEUES_MAX = 1_000;

interface Row {
  queue: string;
  tasks: number;
  payload_bytes: number;
  tasks_returned: number | null;
  bytes_returned: number | null;
}

export class TenantUsage {
  constructor(private readonly database: Database) {}

  /** Takes off a page of what was given back. `full`: there may be more. */
  async fold(): Promise<{ taken: number; full: boolean }> {
    const { dialect } = this.database;
    return this.database.transaction(async (transaction) => {
      const returned = await transaction.query<ReturnRow>(lockReturns(dialect, null));
      if (returned.length > 0) await transaction.commitWith(takeOff(dialect, returned));
      return { taken: returned.length, full: returned.length === RETURNS_MAX };
    });
  }

  /** What the tenant uses at this moment. Takes no lock. */
  async of(tenant: string): Promise<Usage> {
    const returned = sql`FROM usage_returns r WHERE r.tenant = u.tenant AND (u.queue = '' OR r.queue = u.queue)`;
    const found = await this.database.query<Row>(
      sql`SELECT u.queue, u.tasks, u.payload_bytes, (SELECT SUM(r.tasks) ${returned}) AS tasks_returned, (SELECT SUM(r.payload_bytes) ${returned}) AS bytes_returned FROM tenant_usage u WHERE u.tenant = ${tenant} ORDER BY u.queue LIMIT ${QUEUES_MAX + 1}`,
    );
    const tasksOf = (row: Row): number => Math.max(0, Number(row.tasks) - Number(row.tasks_returned ?? 0));
    const whole = found.find(({ queue }) => queue === '');
    return {
      tasks: whole === undefined ? 0 : tasksOf(whole),
      payloadBytes: whole === undefined ? 0 : Math.max(0, Number(whole.payload_bytes) - Number(whole.bytes_returned ?? 0)),
      queues: new Map(found.filter(({ queue }) => queue !== '').map((row) => [row.queue, tasksOf(row)])),
    };
  }
}
