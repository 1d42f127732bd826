/**
 * Takes tasks for a worker. A claim is a compare-and-set from `queued`; whoever changes the row owns the attempt, and the
 * attempt number is never used again. Two ways in: ids that a doorbell message named, and the backlog that has no message,
 * straight from the database. Expired tasks and those past their deadline are refused here, by the database's clock.
 *
 * If the answer to a claim is lost, the tasks may already be this worker's: `held` tells, and must be asked before anything
 * else, because a claimed task that nobody runs is stuck until the lease ends.
 */
import { type Database, join, type Outcome, sql } from '@app/database';
import { failpoint } from '@app/lifecycle';
import { laneAt, laneNumber } from '@app/queue';
import { leaveNote, NOTED_MIN } from './claim-notes.js';
import {
  claimedOf,
  COLUMNS,
  mine,
  oldestWhole,
  take,
  taskAt,
  taskOf,
  type Backlog,
  type ClaimedRow,
  type ClaimedTask,
  type LockedRow,
} from './claim.sql.js';

/** All slots that a worker may have, and as many again that it does not know of. */
const RUNNING_MAX = 2_000;
/** How far a claim looks where others hold the first ones: past four large claims. */
const CANDIDATES_MAX = 2_000;

export class TaskClaimer {
  constructor(
    private readonly database: Database,
    /** The least number of tasks for which a claim leaves a note. */
    private readonly notedMin = NOTED_MIN,
  ) {}

  /** Claims what is claimable of the ids. `ids` must hold none that this worker already runs. */
  async claim(worker: Buffer, ids: readonly Buffer[]): Promise<ClaimedTask[]> {
    if (ids.length === 0) return [];
    const { dialect } = this.database;
    const ordered = [...ids].sort(Buffer.compare);
    const outcomes = await this.database.batch([take(dialect, worker, ordered), mine(dialect, worker, ordered)]);
    failpoint('claim.committed');
    return claimedOf(outcomes.at(-1));
  }

  /** Every attempt that the register says this worker runs, 2,000 at most, but for those of claims whose notes are not cleared yet. */
  async running(worker: Buffer): Promise<ClaimedTask[]> {
    const found = await this.database.query<ClaimedRow>(
      sql`SELECT ${COLUMNS} FROM tasks${this.database.dialect.by('ix_tasks_phase')} WHERE phase = 'live' AND state = 'running' AND worker_id = ${worker} LIMIT ${RUNNING_MAX}`,
    );
    return found.map(taskOf);
  }

  /** Which of the ids this worker holds already. */
  async held(worker: Buffer, ids: readonly Buffer[]): Promise<ClaimedTask[]> {
    if (ids.length === 0) return [];
    return (await this.database.query<ClaimedRow>(mine(this.database.dialect, worker, ids))).map(taskOf);
  }

  /**
   * Where unrung tasks wait, at most `most` places, going on after a given one; `queues` null means all. It seeks from place to place, so a backlog of a
   * million costs as much as one of ten: a DISTINCT would be left to the optimizer, which reads the whole backlog where its
   * statistics are stale.
   */
  async backlog(queues: readonly string[] | null, most: number, after: Backlog | null = null): Promise<Backlog[]> {
    const places: Backlog[] = [];
    const further = queues?.filter((queue) => after === null || queue >= after.queue).sort();
    for (const queue of further ?? [null]) {
      let last = queue === null || queue === after?.queue ? after : null;
      while (places.length < most && (last = await this.seek(queue, last)) !== null) places.push(last);
    }
    return places;
  }

  /** The first place after another one, within one queue or all. */
  private async seek(queue: string | null, after: Backlog | null): Promise<Backlog | null> {
    const within = queue === null ? sql`` : sql` AND queue = ${queue}`;
    const ranges =
      after === null
        ? [within]
        : [
            sql` AND queue = ${after.queue} AND lane = ${laneNumber(after.lane)} AND tenant > ${after.tenant}`,
            sql` AND queue = ${after.queue} AND lane > ${laneNumber(after.lane)}`,
            ...(queue === null ? [sql` AND queue > ${after.queue}`] : []),
          ];
    const firsts = ranges.map(
      (range, order) =>
        sql`SELECT * FROM (SELECT ${order} AS place, queue, lane, tenant FROM tasks${this.database.dialect.by('ix_tasks_phase')} WHERE phase = 'unrung' AND state = 'queued'${range} ORDER BY phase, queue, lane, tenant LIMIT 1) AS range_${{ text: String(order), values: [] }}`,
    );
    const [found] = await this.database.query<{ queue: string; lane: number; tenant: string }>(
      sql`SELECT queue, lane, tenant FROM (${join(firsts, ' UNION ALL ')}) AS found ORDER BY place LIMIT 1`,
    );
    return found === undefined ? null : { queue: found.queue, lane: laneAt(found.lane), tenant: found.tenant };
  }

  /**
   * Claims the oldest of one place, past what other workers are claiming. `trying` is told the ids before they are taken, so
   * that they can be asked about if the answer is lost. `except` are passed over, and so is everything up to `after`. What was locked and read is not read again: nobody else
   * can have changed it, and what a claim changes is known, unless the time of a task ran out in between.
   */
  async claimBacklog(
    worker: Buffer,
    place: Backlog,
    most: number,
    trying: (ids: readonly Buffer[]) => void,
    except: readonly Buffer[] = [],
    after: Buffer | null = null,
  ): Promise<ClaimedTask[]> {
    const { dialect } = this.database;
    const { rows, ids, at, taken } = await this.database.transaction(async (transaction) => {
      // The time comes last, or a task that is made in between would have started before.
      const look = (candidates: number): Promise<Outcome[]> =>
        transaction.run([oldestWhole(dialect, place, { most, except, after, candidates }), sql`SELECT ${dialect.now} AS now`]);
      let [found, told] = await look(most);
      // There are no more, or others hold them: what this transaction holds already is found again.
      if ((found?.rows.length ?? 0) < most) [found, told] = await look(CANDIDATES_MAX);
      const rows = ((found?.rows ?? []) as unknown as LockedRow[]).sort((a, b) => Buffer.compare(a.id, b.id));
      const ids = rows.map(({ id }) => id);
      const at = Number(told?.rows[0]?.['now']);
      if (ids.length === 0) return { rows, ids, at, taken: 0 };
      trying(ids);
      failpoint('claim.locked');
      const time = sql`${at}`;
      const noted = rows.length >= this.notedMin;
      const note = noted ? [leaveNote(place, worker, ids, (rows[0]?.attempt ?? 0) + 1, time)] : [];
      const [outcome] = await transaction.commitWith([take(dialect, worker, ids, time, noted), ...note]);
      failpoint('claim.committed');
      if (noted) failpoint('claim.noted');
      return { rows, ids, at, taken: outcome?.affected ?? 0 };
    });
    if (taken < ids.length) return this.held(worker, ids);
    return rows.map((row) => taskAt(place, row, row.attempt + 1, at));
  }
}
