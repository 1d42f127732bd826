/**
 * Finds queued tasks whose doorbell message is lost and offers them again. One rule covers a crash between commit and ring, a
 * flush, a failover that forgot a second and a deleted group: a task that was rung before the message that was delivered last,
 * and is still queued, has lost its own; and where the lane is empty or Redis is away, a task that was rung longer ago than
 * the grace period has. Such a task is marked unrung, which puts it where workers look by themselves, with or without Redis.
 *
 * Duplicates do no harm (a claim decides), so the rule may err towards offering; it may not err towards forgetting.
 */
import { list, sql, type Database } from '@app/database';
import { laneAt, type Doorbell, type Position } from '@app/queue';

const PAGE = 1_000;
const PAGES_MAX = 100;
/** Distrust between the database's clock and the doorbell's, on top of the measured difference, in ms. */
const CLOCK_MARGIN_MS = 1_000;
/** How many grace periods a message may be on its way before its task is offered from the database as well. */
const STALE_FACTOR = 6;

interface RungRow {
  id: Buffer;
  queue: string;
  lane: number;
  tenant: string;
  rung_at: number;
}

export class TaskReconciler {
  constructor(
    private readonly database: Database,
    private readonly doorbell: Doorbell,
    /** How long a rung task may stay unclaimed where no message can be seen, in ms. */
    private readonly graceMs: number,
  ) {}

  /** Looks at every rung, queued task once; returns how many had lost their message. */
  async reconcile(signal: AbortSignal): Promise<number> {
    const positions = new Map<string, Promise<Position | null>>();
    let lost = 0;
    let after: RungRow | null = null;
    for (let page = 0; page < PAGES_MAX && !signal.aborted; page += 1) {
      const rung: RungRow[] = await this.page(after);
      const now = await this.databaseNow();
      const gone: Buffer[] = [];
      for (const row of rung) {
        const lane = laneAt(row.lane);
        const key = `${row.lane} ${row.queue}`;
        let position = positions.get(key);
        if (position === undefined) {
          position = this.doorbell.position(row.queue, lane);
          positions.set(key, position);
        }
        if (this.isLost(row.rung_at, now, await position)) gone.push(row.id);
      }
      if (gone.length > 0) lost += await this.offer(gone);
      after = rung.at(-1) ?? null;
      if (rung.length < PAGE) break;
    }
    return lost;
  }

  /** Forgets messages and readers that nobody will finish. Throws where the doorbell is away. */
  async tidy(idleMs: number, signal: AbortSignal): Promise<void> {
    const known = await this.database.query<{ name: string }>(sql`SELECT DISTINCT name FROM queues ORDER BY name LIMIT 1000`);
    for (const { name } of known) if (!signal.aborted) await this.doorbell.tidy(name, idleMs);
  }

  private isLost(rungAt: number, now: number, position: Position | null): boolean {
    // Whatever the door shows: nobody reads that lane, or the message is stuck with somebody. Nothing may wait without a timer.
    if (rungAt < now - this.graceMs * STALE_FACTOR) return true;
    if (position === null || position.length === 0) return rungAt < now - this.graceMs;
    if (position.lastDeliveredAt === null) return false;
    const difference = position.now - now;
    return rungAt + difference < position.lastDeliveredAt - CLOCK_MARGIN_MS;
  }

  private async page(after: RungRow | null): Promise<RungRow[]> {
    const { dialect } = this.database;
    const further =
      after === null
        ? sql``
        : sql` AND (queue > ${after.queue} OR (queue = ${after.queue} AND (lane > ${after.lane} OR (lane = ${after.lane} AND (tenant > ${after.tenant} OR (tenant = ${after.tenant} AND id > ${after.id}))))))`;
    return this.database.query<RungRow>(
      sql`SELECT id, queue, lane, tenant, rung_at FROM tasks${dialect.by('ix_tasks_phase')} WHERE phase = 'live' AND state = 'queued'${further} ORDER BY queue, lane, tenant, id LIMIT ${PAGE}`,
    );
  }

  private async databaseNow(): Promise<number> {
    const [row] = await this.database.query<{ now: number }>(sql`SELECT ${this.database.dialect.now} AS now`);
    return Number(row?.now);
  }

  private async offer(ids: readonly Buffer[]): Promise<number> {
    return this.database.execute(
      sql`UPDATE tasks${this.database.dialect.byPrimary} SET phase = 'unrung', rung_at = 0 WHERE id IN (${list([...ids].sort(Buffer.compare))}) AND state = 'queued' AND phase = 'live'`,
    );
  }
}
