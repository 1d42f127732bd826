/**
 * Finds queued tasks whose doorbell message is lost and offers them again. One rule covers a crash between commit and ring, a
 * flush, a failover that forgot a second and a deleted group: a task that was rung before the message that was delivered last,
 * and is still queued, has lost its own; and where the lane is empty or Redis is away, a task that was rung longer ago than
 * the grace period has. Such a task is marked unrung, which puts it where workers look by themselves, with or without Redis.
 *
 * Duplicates do no harm (a claim decides), so the rule may err towards offering; it may not err towards forgetting.
 */
import { list, sql, type Database } from '@app/database';
import { failpoint } from '@app/lifecycle';
import { laneAt, type Doorbell, type Position } from '@app/queue';
import { databaseNow } from './database-now.js';
import { queueNames } from './queue-names.js';

const PAGE = 1_000;
const PAGES_MAX = 100;
const TIDIED_MAX = 200;
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

/** Where a lane stood, and the database's clock at that moment. */
interface Standing {
  position: Position | null;
  now: number;
}

interface Look {
  lanes: Map<string, Standing>;
  /** Set once the doorbell has not answered. */
  away: Standing | null;
}

export class TaskReconciler {
  private tidiedUpTo = '';

  constructor(
    private readonly database: Database,
    private readonly doorbell: Doorbell,
    /** How long a rung task may stay unclaimed where no message can be seen, in ms. */
    private readonly graceMs: number,
  ) {}

  /** Looks at every rung, queued task once; returns how many had lost their message. */
  async reconcile(signal: AbortSignal): Promise<number> {
    const look: Look = { lanes: new Map(), away: null };
    let lost = 0;
    let after: RungRow | null = null;
    for (let page = 0; page < PAGES_MAX && !signal.aborted; page += 1) {
      const rung: RungRow[] = await this.page(after);
      const gone: Buffer[] = [];
      for (const row of rung) {
        if (signal.aborted) break;
        if (this.isLost(row.rung_at, await this.standing(look, row))) gone.push(row.id);
      }
      if (gone.length > 0) {
        failpoint('reconcile.found');
        lost += await this.offer(gone);
        failpoint('reconcile.offered');
      }
      after = rung.at(-1) ?? null;
      if (rung.length < PAGE) break;
    }
    return lost;
  }

  /**
   * Forgets messages and readers that nobody will finish, of 200 queues; the next call goes on with the others. A queue takes some twenty
   * commands, and a loop that went through ten thousand of them would seem to hang. Throws where the doorbell is away, and goes on behind that
   * queue the next time.
   */
  async tidy(idleMs: number, signal: AbortSignal): Promise<void> {
    let tidied = 0;
    for await (const name of queueNames(this.database, this.tidiedUpTo)) {
      if (signal.aborted || tidied === TIDIED_MAX) return;
      tidied += 1;
      this.tidiedUpTo = name;
      await this.doorbell.tidy(name, idleMs);
    }
    this.tidiedUpTo = '';
  }

  /** Each lane is asked for once per look; and after the first that gets no answer, none: a hung doorbell costs its limit once. */
  private async standing(look: Look, row: RungRow): Promise<Standing> {
    const key = `${row.lane} ${row.queue}`;
    const known = look.lanes.get(key) ?? look.away;
    if (known !== null) return known;
    const position = await this.doorbell.position(row.queue, laneAt(row.lane));
    // Both clocks at one moment: a difference taken later would grow with the length of the look.
    const standing = { position, now: await databaseNow(this.database) };
    if (position === null) look.away = standing;
    else look.lanes.set(key, standing);
    return standing;
  }

  private isLost(rungAt: number, { position, now }: Standing): boolean {
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

  private async offer(ids: readonly Buffer[]): Promise<number> {
    return this.database.execute(
      sql`UPDATE tasks${this.database.dialect.byPrimary} SET phase = 'unrung', rung_at = 0 WHERE id IN (${list([...ids].sort(Buffer.compare))}) AND state = 'queued' AND phase = 'live'`,
    );
  }
}
