/**
 * What every tenant may, answered from memory. A row of the tenant itself counts before a row for every tenant, and that before
 * the setting. The table is read whole before the process serves and again and again after that; while the database is away the
 * book keeps what it read last. A row that this build does not understand is left out, as if it were not there.
 */
import { type Database, sql } from '@app/database';
import { EVERY_TENANT, isLimitName, QUEUE_LIMIT, type LimitName, type TenantLimits } from './limit-names.js';

interface Read {
  tenant: string;
  queue: string;
  name: string;
  value: number;
}

/** The rows of one tenant. */
interface Page {
  own: Partial<Record<LimitName, number>>;
  /** By the name of the queue. */
  queues: Map<string, number>;
}

const blank = (): Page => ({ own: {}, queues: new Map() });

export class LimitBook {
  private everyone: TenantLimits;
  private everyonesQueues: ReadonlyMap<string, number> = new Map();
  private tenants: ReadonlyMap<string, { limits: TenantLimits; page: Page }> = new Map();

  constructor(
    private readonly database: Database,
    private readonly defaults: TenantLimits,
    /** How many rows are read at most; what is beyond has no effect. */
    private readonly rowsMax: number,
    private readonly onTooMany: () => void,
  ) {
    this.everyone = defaults;
  }

  /** Never waits. */
  of(tenant: string): TenantLimits {
    return this.tenants.get(tenant)?.limits ?? this.everyone;
  }

  /** How many tasks that have not ended the queue may hold: its own limit before the tenant's, both before every tenant's. */
  ofQueue(tenant: string, queue: string): Pick<TenantLimits, typeof QUEUE_LIMIT> {
    const page = this.tenants.get(tenant)?.page;
    const depth = page?.queues.get(queue) ?? page?.own[QUEUE_LIMIT] ?? this.everyonesQueues.get(queue) ?? this.everyone[QUEUE_LIMIT];
    return { [QUEUE_LIMIT]: depth };
  }

  /** Reads the table. Throws Unavailable where the database does not answer; what was known stays. */
  async refresh(): Promise<void> {
    const found = await this.database.query<Read>(
      sql`SELECT tenant, queue, name, value FROM limits ORDER BY tenant, queue, name LIMIT ${this.rowsMax + 1}`,
    );
    if (found.length > this.rowsMax) this.onTooMany();
    const pages = new Map<string, Page>();
    for (const { tenant, queue, name, value } of found.slice(0, this.rowsMax)) {
      if (!isLimitName(name)) continue;
      const page = pages.get(tenant) ?? blank();
      if (queue === '') page.own[name] = Number(value);
      else if (name === QUEUE_LIMIT) page.queues.set(queue, Number(value));
      pages.set(tenant, page);
    }
    const every = pages.get(EVERY_TENANT) ?? blank();
    pages.delete(EVERY_TENANT);
    const everyone = { ...this.defaults, ...every.own };
    this.everyone = everyone;
    this.everyonesQueues = every.queues;
    this.tenants = new Map([...pages].map(([tenant, page]) => [tenant, { limits: { ...everyone, ...page.own }, page }]));
  }
}
