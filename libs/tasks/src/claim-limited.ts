/**
 * Takes tasks of a tenant that may run only so many at a time, over all workers together. Nobody keeps a count that could drift:
 * claims of one tenant take turns on a row of `running_turns`, and whoever has the turn counts the rows that run, before it takes
 * as many as there is room for, and commits. Whatever ends a run needs to know nothing of this. What a lost worker held counts
 * until it is swept, because it may still run.
 *
 * Nobody waits for the turn: a process may stand still while it has it, and would make every claimer stand still with it. Whoever
 * does not get it takes nothing, is told so, and comes back. For the same reason tasks whose rows somebody holds are passed over.
 *
 * The count walks the tenant's own part of the phase index, queue by queue, and stops at the limit; besides what runs it passes
 * over what waits at the door, which is a window at most. Tenants without a limit that could bind do not come this way; what such a
 * tenant has claimed just before it got one is found by the notes of those claims.
 */
import { type Database, type Outcome, sql, type Sql, type Transaction } from '@app/database';
import { failpoint } from '@app/lifecycle';
import { laneNumber, LANES } from '@app/queue';
import { notedOf, runningWithin, type Range } from './claim-notes.js';
import { claimable, claimedOf, mine, oldest, take, type Backlog, type ClaimedTask } from './claim.sql.js';

/** With notes, of one tenant; where there are more, it is left alone until they are cleared. SQLite takes 500 parts of a UNION. */
const PLACES_MAX = 400;

export interface LimitedClaim {
  claimed: ClaimedTask[];
  /** Whether the tenant now runs as many as it may: nothing more is to be had before one of its tasks ends. */
  full: boolean;
  /** Whether nothing was counted: somebody else had the tenant's turn, or its earlier claims have left notes in too many places. */
  busy: boolean;
}

const NOTHING: LimitedClaim = { claimed: [], full: false, busy: false };
const FULL: LimitedClaim = { claimed: [], full: true, busy: false };
const BUSY: LimitedClaim = { claimed: [], full: false, busy: true };

export class LimitedClaimer {
  constructor(private readonly database: Database) {}

  /**
   * Claims of the ids, the oldest first, what is claimable and fits the limit. They are all of one tenant, and none runs here.
   * Throws CommitUnknown where the answer was lost, as `claimBacklog` does: then `TaskClaimer.held` tells.
   */
  async claim(worker: Buffer, tenant: string, ids: readonly Buffer[], limit: number): Promise<LimitedClaim> {
    if (ids.length === 0) return NOTHING;
    const candidates = claimable(this.database.dialect, [...ids].sort(Buffer.compare));
    return this.within(worker, tenant, candidates, limit, () => undefined);
  }

  /** As `TaskClaimer.claimBacklog`, for as many as fit the limit. */
  async claimBacklog(
    worker: Buffer,
    place: Backlog,
    most: number,
    limit: number,
    trying: (ids: readonly Buffer[]) => void,
    except: readonly Buffer[] = [],
  ): Promise<LimitedClaim> {
    return this.within(worker, place.tenant, oldest(this.database.dialect, place, { most, except }), limit, trying);
  }

  /** With the tenant's row, which is made where it is its first claim: by itself, so that nobody ever has a row that others wait for. */
  private async within(...claim: Parameters<LimitedClaimer['inTurn']>): Promise<LimitedClaim> {
    const first = await this.inTurn(...claim);
    if (first !== null) return first;
    const [, tenant] = claim;
    await this.database.execute(
      sql`INSERT INTO running_turns (tenant) VALUES (${tenant})${this.database.dialect.keepExisting(['tenant'])}`,
    );
    return (await this.inTurn(...claim)) ?? BUSY;
  }

  /** Null where the tenant has no row yet. */
  private async inTurn(
    worker: Buffer,
    tenant: string,
    candidates: Sql,
    limit: number,
    trying: (ids: readonly Buffer[]) => void,
  ): Promise<LimitedClaim | null> {
    const { dialect } = this.database;
    return this.database.transaction(async (transaction) => {
      const turn = sql`SELECT tenant FROM running_turns WHERE tenant = ${tenant}`;
      // The count comes after the turn, and so sees all that was committed by those who had it before.
      const [made, mineNow, noted, counted, found] = await transaction.run([
        turn,
        sql`${turn}${dialect.lockFree}`,
        notedOf(dialect, tenant, PLACES_MAX),
        this.running(tenant, limit),
        candidates,
      ]);
      if (mineNow?.rows.length !== 1) return made?.rows.length === 1 ? BUSY : null;
      const notes = (noted?.rows ?? []) as unknown as Range[];
      if (notes.length === PLACES_MAX) return BUSY;
      const room = limit - (notes.length === 0 ? runningOf(counted) : await this.runningWithNotes(transaction, tenant, limit, notes));
      if (room <= 0) return FULL;
      const free = ((found?.rows ?? []) as { id: Buffer }[]).map(({ id }) => id).sort(Buffer.compare);
      const ids = free.slice(0, room);
      if (ids.length === 0) return NOTHING;
      trying(ids);
      failpoint('claim.locked');
      const outcomes = await transaction.commitWith([take(dialect, worker, ids), mine(dialect, worker, ids)]);
      failpoint('claim.committed');
      const claimed = claimedOf(outcomes.at(-1));
      return { claimed, full: claimed.length >= room, busy: false };
    });
  }

  /**
   * The notes' tasks are counted first, and then once more what is `live`: what changes from one to the other meanwhile counts twice, and
   * not never.
   */
  private async runningWithNotes(transaction: Transaction, tenant: string, limit: number, notes: readonly Range[]): Promise<number> {
    const { dialect } = this.database;
    const [within, live] = await transaction.run([
      sql`SELECT COUNT(*) AS running FROM (${runningWithin(dialect, notes, limit)}) AS noted`,
      this.running(tenant, limit),
    ]);
    return runningOf(within) + runningOf(live);
  }

  /**
   * How many of the tenant's tasks are `live` and run, counted up to the limit. The joins are ordered by hand: an optimizer with stale statistics
   * would rather read everybody's live tasks.
   */
  private running(tenant: string, limit: number): Sql {
    const { by, joinNext } = this.database.dialect;
    const [high, normal, low] = LANES.map(laneNumber) as [number, number, number];
    return sql`SELECT COUNT(*) AS running FROM (SELECT t.id FROM queues AS q${joinNext}(SELECT ${high} AS lane UNION ALL SELECT ${normal} UNION ALL SELECT ${low}) AS l${joinNext}tasks AS t${by('ix_tasks_phase')} ON t.phase = 'live' AND t.queue = q.name AND t.lane = l.lane AND t.tenant = q.tenant WHERE q.tenant = ${tenant} AND t.state = 'running' LIMIT ${limit}) AS counted`;
  }
}

function runningOf(counted: Outcome | undefined): number {
  return Number(counted?.rows[0]?.['running'] ?? Number.POSITIVE_INFINITY);
}
