/**
 * The queues of a tenant: which there are, how deep, and whether they are paused. A queue exists from the first task or the
 * first pause on. A pause for all tenants is a row of the tenant `*`, which no token can carry. Workers read the pauses every
 * second and stop claiming; what runs already, runs on.
 */
import { MoreThan } from 'typeorm';
import { recordAudit } from '@app/audit';
import { type Database, type RowIds, sql, type Sql } from '@app/database';
import { NotFound, TooManyPauses } from '@app/errors';
import { QueueDepths, type Depth } from './depth.js';
import type { QueueRow } from './entities.js';
import { queueNames } from './queue-names.js';
import type { QueueView } from './task.js';

export const EVERY_TENANT = '*';
/** How many queues a tenant is told of. */
const QUEUES_MAX = 1_000;
/**
 * Of one tenant, so that nobody's pauses push those of others out of what workers read. Pauses at the same moment may pass it by as many, which
 * what is read has room for.
 */
const PAUSES_MAX = 1_000;
/** Of all tenants together. */
const PAUSES_READ_MAX = 100_000;
const PAGE = 1_000;

export interface Pause {
  tenant: string;
  queue: string;
}

/** Who does it and why, and the tenant whose audit log tells of it. */
interface Actor {
  tenant: string;
  actor: string;
  /** At most 500 characters; empty where nobody said. */
  reason: string;
}

export class Queues {
  private readonly depths: QueueDepths;

  constructor(
    private readonly database: Database,
    private readonly ids: RowIds,
  ) {
    this.depths = new QueueDepths(database);
  }

  /** The first 1,000 of the tenant, by name. Throws Unavailable where too many ask at once. */
  async list(tenant: string): Promise<QueueView[]> {
    const [own, everywhere] = await this.database.entities((manager) => {
      const queues = manager.getRepository<QueueRow>('Queue');
      const order = { name: 'ASC' } as const;
      return Promise.all([
        queues.find({ where: { tenant }, order, take: QUEUES_MAX }),
        queues.find({ where: { tenant: EVERY_TENANT, paused_at: MoreThan(0) }, order, take: PAUSES_MAX }),
      ]);
    });
    const pausedEverywhere = new Map(everywhere.map((row) => [row.name, row]));
    const depths = await this.depths.of(
      tenant,
      own.map(({ name }) => name),
    );
    return depths.flatMap((depth, index) => {
      const row = own[index];
      return row === undefined ? [] : [viewOf(row, pausedEverywhere.get(row.name), depth)];
    });
  }

  /** Every queue name any tenant uses, in order, 10,000 at most; for workers that serve all. */
  async names(): Promise<string[]> {
    const names: string[] = [];
    for await (const name of queueNames(this.database)) names.push(name);
    return names;
  }

  /**
   * In which queues of all tenants something was rung that is not over, `most` names behind a given one, in order. It seeks from name to name,
   * because a statement for all of them reads every task that was rung: a recursive one too, on MySQL and MariaDB.
   */
  async busy(after: string, most: number): Promise<string[]> {
    const names: string[] = [];
    while (names.length < most) {
      const [next] = await this.database.query<{ name: string | null }>(
        sql`SELECT MIN(queue) AS name FROM tasks${this.database.dialect.by('ix_tasks_phase')} WHERE phase = 'live' AND queue > ${names.at(-1) ?? after}`,
      );
      if (typeof next?.name !== 'string') break;
      names.push(next.name);
    }
    return names;
  }

  /** 100,000 at most, those for all tenants first. */
  async pauses(): Promise<Pause[]> {
    const pauses: Pause[] = [];
    for (let after: Pause = { tenant: '', queue: '' }; pauses.length < PAUSES_READ_MAX; after = pauses.at(-1) ?? after) {
      const page = await this.database.query<{ tenant: string; queue: string }>(
        sql`SELECT tenant, name AS queue FROM queues WHERE paused_at > 0 AND (tenant > ${after.tenant} OR (tenant = ${after.tenant} AND name > ${after.queue})) ORDER BY tenant, name LIMIT ${PAGE}`,
      );
      pauses.push(...page);
      if (page.length < PAGE) break;
    }
    return pauses;
  }

  /** Throws TooManyPauses where 1,000 others are paused. */
  async pause(tenant: string, name: string, actor: string, reason = ''): Promise<QueueView> {
    await this.setPaused(tenant, name, { tenant, actor, reason });
    return this.one(tenant, name);
  }

  /** Throws NotFound for a queue that this tenant has never used or paused. */
  async resume(tenant: string, name: string, actor: string, reason = ''): Promise<QueueView> {
    await this.clearPaused(tenant, name, { tenant, actor, reason });
    return this.one(tenant, name);
  }

  /** `tenant` is the actor's: its audit log tells of the pause. Throws TooManyPauses where 1,000 others are paused for everybody. */
  async pauseEverywhere(tenant: string, name: string, actor: string, reason = ''): Promise<void> {
    await this.setPaused(EVERY_TENANT, name, { tenant, actor, reason });
  }

  async resumeEverywhere(tenant: string, name: string, actor: string, reason = ''): Promise<void> {
    await this.clearPaused(EVERY_TENANT, name, { tenant, actor, reason });
  }

  private async setPaused(tenant: string, name: string, by: Actor): Promise<void> {
    const { now, keepExisting } = this.database.dialect;
    await this.database.transaction(async (transaction) => {
      const [others] = await transaction.query<{ total: number }>(
        sql`SELECT COUNT(*) AS total FROM queues WHERE tenant = ${tenant} AND paused_at > 0 AND name <> ${name}`,
      );
      if (Number(others?.total) >= PAUSES_MAX) throw new TooManyPauses(PAUSES_MAX);
      await transaction.execute(
        sql`INSERT INTO queues (tenant, name, paused_at, paused_by, created_at) VALUES (${tenant}, ${name}, 0, '', ${now})${keepExisting(['tenant', 'name'])}`,
      );
      const changed = await transaction.execute(
        sql`UPDATE queues SET paused_at = ${now}, paused_by = ${by.actor} WHERE tenant = ${tenant} AND name = ${name} AND paused_at = 0`,
      );
      if (changed > 0) await transaction.execute(this.audited('queue.pause', tenant, name, by));
    });
  }

  private async clearPaused(tenant: string, name: string, by: Actor): Promise<void> {
    await this.database.transaction(async (transaction) => {
      const changed = await transaction.execute(
        sql`UPDATE queues SET paused_at = 0, paused_by = '' WHERE tenant = ${tenant} AND name = ${name} AND paused_at > 0`,
      );
      if (changed > 0) await transaction.execute(this.audited('queue.resume', tenant, name, by));
    });
  }

  private audited(action: string, tenant: string, name: string, by: Actor): Sql {
    const detail = { allTenants: tenant === EVERY_TENANT };
    return recordAudit(this.database.dialect, this.ids.next(), { ...by, action, target: name, detail });
  }

  private async one(tenant: string, name: string): Promise<QueueView> {
    const found = await this.database.query<QueueRow>(
      sql`SELECT tenant, name, paused_at, paused_by, created_at FROM queues WHERE tenant IN (${tenant}, ${EVERY_TENANT}) AND name = ${name}`,
    );
    const own = found.find((row) => row.tenant === tenant);
    if (own === undefined) throw new NotFound('queue');
    const [depth] = await this.depths.of(tenant, [name]);
    if (depth === undefined) throw new NotFound('queue');
    return viewOf(
      own,
      found.find((row) => row.tenant === EVERY_TENANT),
      depth,
    );
  }
}

function viewOf(own: QueueRow, everywhere: QueueRow | undefined, depth: Depth): QueueView {
  const pausedBy = own.paused_at > 0 ? own : everywhere !== undefined && everywhere.paused_at > 0 ? everywhere : null;
  return {
    name: own.name,
    paused: pausedBy !== null,
    pausedAt: pausedBy?.paused_at ?? null,
    pausedBy: pausedBy?.paused_by ?? null,
    ...depth,
  };
}
