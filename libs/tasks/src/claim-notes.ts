/**
 * A claim of many tasks from the backlog leaves them in the phase `unrung`, so that the index changes once on their way to `succeeded` and
 * not twice: that was a sixth of all that a task cost the database. What loops look for by phase must still be found, so the
 * claim leaves a note in the same transaction: its place, its first and its last id, between which everything it took can be found
 * by the index. A note is cleared by the first look after a moment, when nearly all of its tasks have ended, or at once where its worker is
 * not live: what still runs becomes `live`, and a note goes when a look finds nothing of the kind. A row that is locked meanwhile is
 * passed over, and found again by the next look.
 *
 * So whoever looks at what has been running for longer than a moment need not know of notes. Who counts what runs now must.
 */
import { join, list, sql, type Database, type Dialect, type Sql } from '@app/database';
import { failpoint } from '@app/lifecycle';
import { laneNumber } from '@app/queue';
import type { Backlog } from './claim.sql.js';

/** Fewer tasks than this cost less as `live` than a note does. */
export const NOTED_MIN = 16;
/** How long the tasks of a claim have to end before what is left of them is looked for, in ms. */
const YOUNG_MS = 2_000;
/** Of one look: SQLite takes 500 parts of a UNION. */
const PAGE = 50;
const PAGES_MAX = 100;
/** Of one statement. */
const MOVED_MAX = 1_000;

/** Between which ids of which place a claim has taken tasks. */
export interface Range {
  tenant: string;
  queue: string;
  lane: number;
  first_id: Buffer;
  last_id: Buffer;
}

interface Note extends Range {
  attempt: number;
  claimed_at: number;
}

/** Belongs into the transaction of the claim. `ids` are all of one place, in order; `attempt` is the first one's. */
export function leaveNote(place: Backlog, worker: Buffer, ids: readonly Buffer[], attempt: number, at: Sql): Sql {
  return sql`INSERT INTO claim_notes (first_id, attempt, claimed_at, last_id, tenant, queue, lane, worker_id) VALUES (${ids[0] ?? null}, ${attempt}, ${at}, ${ids.at(-1) ?? null}, ${place.tenant}, ${place.queue}, ${laneNumber(place.lane)}, ${worker})`;
}

/** Where the notes of a tenant are, one range for each place, `most` of them. */
export function notedOf(dialect: Dialect, tenant: string, most: number): Sql {
  return sql`SELECT tenant, queue, lane, MIN(first_id) AS first_id, MAX(last_id) AS last_id FROM claim_notes${dialect.by('ix_claim_notes_tenant')} WHERE tenant = ${tenant} GROUP BY tenant, queue, lane LIMIT ${most}`;
}

/** What runs within the ranges without being `live`: its id, and the number of the range; `most` of each. */
export function runningWithin(dialect: Dialect, ranges: readonly Range[], most: number): Sql {
  const parts = ranges.map(
    ({ tenant, queue, lane, first_id: first, last_id: last }, number) =>
      sql`SELECT * FROM (SELECT id, ${number} AS number FROM tasks${dialect.by('ix_tasks_phase')} WHERE phase = 'unrung' AND queue = ${queue} AND lane = ${lane} AND tenant = ${tenant} AND id BETWEEN ${first} AND ${last} AND state = 'running' LIMIT ${most}) AS part`,
  );
  return join(parts, ' UNION ALL ');
}

export class ClaimNotes {
  constructor(private readonly database: Database) {}

  /**
   * Clears what is not young any more; returns how many notes went, and whether there are more than one call takes. A page that fails is
   * gone through note by note, so that one that fails keeps no other; then throws what the first of them threw.
   */
  async clear(): Promise<{ cleared: number; full: boolean }> {
    const failures: unknown[] = [];
    let cleared = 0;
    let after: Note | null = null;
    let full = true;
    for (let page = 0; page < PAGES_MAX && full; page += 1) {
      const notes: Note[] = await this.page(after);
      cleared += await this.clearEach(notes, failures);
      after = notes.at(-1) ?? null;
      full = notes.length === PAGE;
    }
    if (failures.length > 0) throw failures[0];
    return { cleared, full };
  }

  /** A claim that seems to be made in the future was made before the clock was put back. */
  private async page(after: Note | null): Promise<Note[]> {
    const { now } = this.database.dialect;
    const further =
      after === null ? sql`` : sql` AND (first_id, attempt, claimed_at) > (${after.first_id}, ${after.attempt}, ${after.claimed_at})`;
    return this.database.query<Note>(
      sql`SELECT first_id, attempt, claimed_at, last_id, tenant, queue, lane FROM claim_notes WHERE (claimed_at <= ${now} - ${YOUNG_MS} OR claimed_at > ${now} OR worker_id NOT IN (SELECT id FROM workers WHERE state IN ('live', 'draining')))${further} ORDER BY first_id, attempt, claimed_at LIMIT ${PAGE}`,
    );
  }

  private async clearEach(notes: readonly Note[], failures: unknown[]): Promise<number> {
    try {
      return await this.clearAll(notes);
    } catch (error) {
      if (notes.length <= 1) {
        failures.push(error);
        return 0;
      }
      let cleared = 0;
      for (const note of notes) cleared += await this.clearEach([note], failures);
      return cleared;
    }
  }

  /** A note that is seen was committed with its tasks; so where none of them is found afterwards, they have all ended or are `live`. */
  private async clearAll(notes: readonly Note[]): Promise<number> {
    if (notes.length === 0) return 0;
    const running = await this.database.query<{ id: Buffer; number: number }>(runningWithin(this.database.dialect, notes, MOVED_MAX));
    if (running.length > 0) {
      failpoint('notes.found');
      await this.makeLive(running.map(({ id }) => id));
      failpoint('notes.moved');
    }
    const open = new Set(running.map(({ number }) => Number(number)));
    const done = notes.filter((_note, number) => !open.has(number));
    if (done.length === 0) return 0;
    const named = done.map(
      ({ first_id: first, attempt, claimed_at: at }) => sql`(first_id = ${first} AND attempt = ${attempt} AND claimed_at = ${at})`,
    );
    const cleared = await this.database.execute(sql`DELETE FROM claim_notes WHERE ${join(named, ' OR ')}`);
    failpoint('notes.cleared');
    return cleared;
  }

  private async makeLive(ids: readonly Buffer[]): Promise<void> {
    const { byPrimary, lockFree } = this.database.dialect;
    const ordered = [...ids].sort(Buffer.compare);
    for (let from = 0; from < ordered.length; from += MOVED_MAX) {
      const some = ordered.slice(from, from + MOVED_MAX);
      await this.database.transaction(async (transaction) => {
        const free = await transaction.query<{ id: Buffer }>(
          sql`SELECT id FROM tasks${byPrimary} WHERE id IN (${list(some)}) AND state = 'running' AND phase = 'unrung' ORDER BY id${lockFree}`,
        );
        if (free.length === 0) return;
        await transaction.commitWith([
          sql`UPDATE tasks${byPrimary} SET phase = 'live' WHERE id IN (${list(free.map(({ id }) => id))}) AND state = 'running' AND phase = 'unrung'`,
        ]);
      });
    }
  }
}
