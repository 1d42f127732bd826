/**
 * The queues of a tenant: which there are, how deep, and whether they are paused. A queue exists from the first task or the
 * first pause on. A pause for all tenants is a row of the tenant `*`, which no token can carry. Workers read the pauses every
 * second and stop claiming; what runs already, runs on.
 */
import { list, sql, type Database } from '@app/database';
import { NotFound } from '@app/errors';
import type { QueueRow } from './entities.js';
import { laneNumber, LANES } from '@app/queue';
import type { QueueView } from './task.js';

export const EVERY_TENANT = '*';
const COUNT_MAX = 100_000;
const QUEUES_MAX = 1_000;

export interface Pause {
  tenant: string;
  queue: string;
}

export class Queues {
  constructor(private readonly database: Database) {}

  async list(tenant: string): Promise<QueueView[]> {
    const found = await this.database.entities((manager) =>
      manager
        .getRepository<QueueRow>('Queue')
        .find({ where: [{ tenant }, { tenant: EVERY_TENANT }], order: { name: 'ASC' }, take: QUEUES_MAX }),
    );
    const own = found.filter((row) => row.tenant === tenant);
    return Promise.all(
      own.map((row) =>
        this.view(
          row,
          found.find(({ tenant: of, name }) => of === EVERY_TENANT && name === row.name),
        ),
      ),
    );
  }

  /** Every queue name any tenant uses; for workers that serve all. */
  async names(): Promise<string[]> {
    const found = await this.database.query<{ name: string }>(sql`SELECT DISTINCT name FROM queues ORDER BY name LIMIT ${QUEUES_MAX}`);
    return found.map((row) => row.name);
  }

  async pauses(): Promise<Pause[]> {
    return this.database.query<{ tenant: string; queue: string }>(
      sql`SELECT tenant, name AS queue FROM queues WHERE paused_at > 0 LIMIT 10000`,
    );
  }

  async pause(tenant: string, name: string, actor: string): Promise<QueueView> {
    await this.setPaused(tenant, name, actor);
    return this.one(tenant, name);
  }

  /** Throws NotFound for a queue that this tenant has never used or paused. */
  async resume(tenant: string, name: string): Promise<QueueView> {
    await this.clearPaused(tenant, name);
    return this.one(tenant, name);
  }

  async pauseEverywhere(name: string, actor: string): Promise<void> {
    await this.setPaused(EVERY_TENANT, name, actor);
  }

  async resumeEverywhere(name: string): Promise<void> {
    await this.clearPaused(EVERY_TENANT, name);
  }

  private async setPaused(tenant: string, name: string, actor: string): Promise<void> {
    const { now, keepExisting } = this.database.dialect;
    await this.database.batch([
      sql`INSERT INTO queues (tenant, name, paused_at, paused_by, created_at) VALUES (${tenant}, ${name}, 0, '', ${now})${keepExisting(['tenant', 'name'])}`,
      sql`UPDATE queues SET paused_at = ${now}, paused_by = ${actor} WHERE tenant = ${tenant} AND name = ${name} AND paused_at = 0`,
    ]);
  }

  private async clearPaused(tenant: string, name: string): Promise<void> {
    await this.database.execute(sql`UPDATE queues SET paused_at = 0, paused_by = '' WHERE tenant = ${tenant} AND name = ${name}`);
  }

  private async one(tenant: string, name: string): Promise<QueueView> {
    const found = await this.database.query<QueueRow>(
      sql`SELECT tenant, name, paused_at, paused_by, created_at FROM queues WHERE tenant IN (${tenant}, ${EVERY_TENANT}) AND name = ${name}`,
    );
    const own = found.find((row) => row.tenant === tenant);
    if (own === undefined) throw new NotFound('queue');
    return this.view(
      own,
      found.find((row) => row.tenant === EVERY_TENANT),
    );
  }

  private async view(own: QueueRow, everywhere: QueueRow | undefined): Promise<QueueView> {
    const pausedBy = own.paused_at > 0 ? own : everywhere !== undefined && everywhere.paused_at > 0 ? everywhere : null;
    const { depth, oldestQueuedAgeMs } = await this.depth(own.tenant, own.name);
    return {
      name: own.name,
      paused: pausedBy !== null,
      pausedAt: pausedBy?.paused_at ?? null,
      pausedBy: pausedBy?.paused_by ?? null,
      depth,
      countedUpTo: COUNT_MAX,
      oldestQueuedAgeMs,
    };
  }

  /** Counted over the phase index, each phase up to a bound, so that a backlog of millions does not make this slow. */
  private async depth(tenant: string, name: string): Promise<Pick<QueueView, 'depth' | 'oldestQueuedAgeMs'>> {
    const { by, now } = this.database.dialect;
    const lanes = sql`lane IN (${list(LANES.map(laneNumber))})`;
    const outcomes = await Promise.all(
      (['waiting', 'unrung', 'live', 'failed'] as const).map((phase) =>
        this.database.query<{ state: keyof QueueView['depth']; total: number; oldest: number; now: number }>(
          sql`SELECT state, COUNT(*) AS total, MIN(run_at) AS oldest, ${now} AS now FROM (SELECT state, run_at FROM tasks${by('ix_tasks_phase')} WHERE phase = ${phase} AND queue = ${name} AND ${lanes} AND tenant = ${tenant} LIMIT ${COUNT_MAX}) AS counted GROUP BY state`,
        ),
      ),
    );
    const depth: QueueView['depth'] = { scheduled: 0, queued: 0, running: 0, retrying: 0, failed: 0 };
    let oldestQueuedAgeMs: number | null = null;
    for (const row of outcomes.flat()) {
      depth[row.state] += Number(row.total);
      if (row.state === 'queued') oldestQueuedAgeMs = Math.max(oldestQueuedAgeMs ?? 0, Number(row.now) - Number(row.oldest));
    }
    return { depth, oldestQueuedAgeMs };
  }
}
