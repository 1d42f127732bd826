/**
 * Takes tasks for a worker. A claim is a compare-and-set from `queued`; whoever changes the row owns the attempt, and the
 * attempt number is never used again. Two ways in: ids that a doorbell message named, and the backlog that has no message,
 * straight from the database. Expired tasks and those past their deadline are refused here, by the database's clock.
 *
 * If the answer to a claim is lost, the tasks may already be this worker's: `held` tells, and must be asked before anything
 * else, because a claimed task that nobody runs is stuck until the lease ends.
 */
import { type Database, idText, join, list, type Outcome, sql, type Sql } from '@app/database';
import { failpoint } from '@app/lifecycle';
import { laneAt, laneNumber, type Lane } from '@app/queue';
import type { RetryPolicy } from './task.js';
import { parseOptions } from './view.js';

/** A task that a worker holds, with what is needed to run it. */
export interface ClaimedTask {
  id: string;
  bytes: Buffer;
  tenant: string;
  queue: string;
  lane: Lane;
  name: string;
  /** The fencing number of this claim. */
  attempt: number;
  failures: number;
  crashes: number;
  /** How often it was snoozed, and how many fallbacks have taken over. */
  snoozes: number;
  fallbacks: number;
  /** 0: the handler or the default decides. */
  maxAttempts: number;
  timeoutMs: number;
  retry: RetryPolicy | null;
  payload: string;
  /** ms since the epoch by the database's clock; 0 for none. */
  startedAt: number;
  deadlineAt: number;
  createdAt: number;
}

/** A place where unrung tasks wait. */
export interface Backlog {
  queue: string;
  lane: Lane;
  tenant: string;
}

interface ClaimedRow {
  id: Buffer;
  tenant: string;
  queue: string;
  lane: number;
  name: string;
  attempt: number;
  failures: number;
  crashes: number;
  snoozes: number;
  fallbacks: number;
  max_attempts: number;
  timeout_ms: number;
  options: string;
  payload: string;
  started_at: number;
  deadline_at: number;
  created_at: number;
}

const COLUMNS = sql`id, tenant, queue, lane, name, attempt, failures, crashes, snoozes, fallbacks, max_attempts, timeout_ms, options, payload, started_at, deadline_at, created_at`;

export class TaskClaimer {
  constructor(private readonly database: Database) {}

  /** Claims what is claimable of the ids. `ids` must hold none that this worker already runs. */
  async claim(worker: Buffer, ids: readonly Buffer[]): Promise<ClaimedTask[]> {
    if (ids.length === 0) return [];
    const ordered = [...ids].sort(Buffer.compare);
    const outcomes = await this.database.batch([this.take(worker, ordered), this.mine(worker, ordered)]);
    failpoint('claim.committed');
    return claimedOf(outcomes.at(-1));
  }

  /** Every attempt that the register says this worker runs. */
  async running(worker: Buffer): Promise<ClaimedTask[]> {
    const found = await this.database.query<ClaimedRow>(
      sql`SELECT ${COLUMNS} FROM tasks${this.database.dialect.by('ix_tasks_phase')} WHERE phase = 'live' AND state = 'running' AND worker_id = ${worker} LIMIT 1000`,
    );
    return found.map(taskOf);
  }

  /** Which of the ids this worker holds already. */
  async held(worker: Buffer, ids: readonly Buffer[]): Promise<ClaimedTask[]> {
    if (ids.length === 0) return [];
    return (await this.database.query<ClaimedRow>(this.mine(worker, ids))).map(taskOf);
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
        sql`SELECT * FROM (SELECT ${order} AS place, queue, lane, tenant FROM tasks${this.database.dialect.by('ix_tasks_phase')} WHERE phase = 'unrung'${range} ORDER BY phase, queue, lane, tenant LIMIT 1) AS range_${{ text: String(order), values: [] }}`,
    );
    const [found] = await this.database.query<{ queue: string; lane: number; tenant: string }>(
      sql`SELECT queue, lane, tenant FROM (${join(firsts, ' UNION ALL ')}) AS found ORDER BY place LIMIT 1`,
    );
    return found === undefined ? null : { queue: found.queue, lane: laneAt(found.lane), tenant: found.tenant };
  }

  /**
   * Claims the oldest of one place, past what other workers are claiming. `trying` is told the ids before they are taken, so
   * that they can be asked about if the answer is lost.
   */
  async claimBacklog(worker: Buffer, place: Backlog, most: number, trying: (ids: readonly Buffer[]) => void): Promise<ClaimedTask[]> {
    const { dialect } = this.database;
    return this.database.transaction(async (transaction) => {
      const found = await transaction.query<{ id: Buffer }>(
        sql`SELECT id FROM tasks${dialect.by('ix_tasks_phase')} WHERE phase = 'unrung' AND queue = ${place.queue} AND lane = ${laneNumber(place.lane)} AND tenant = ${place.tenant} AND (expires_at = 0 OR expires_at > ${dialect.now}) AND (deadline_at = 0 OR deadline_at > ${dialect.now}) ORDER BY id LIMIT ${most}${dialect.lockFree}`,
      );
      if (found.length === 0) return [];
      const ids = found.map((row) => row.id);
      trying(ids);
      failpoint('claim.locked');
      const outcomes = await transaction.commitWith([this.take(worker, ids), this.mine(worker, ids)]);
      failpoint('claim.committed');
      return claimedOf(outcomes.at(-1));
    });
  }

  private take(worker: Buffer, ids: readonly Buffer[]): Sql {
    const { now, byPrimary } = this.database.dialect;
    return sql`UPDATE tasks${byPrimary} SET state = 'running', phase = 'live', worker_id = ${worker}, attempt = attempt + 1, started_at = ${now}, updated_at = ${now} WHERE id IN (${list(ids)}) AND state = 'queued' AND (expires_at = 0 OR expires_at > ${now}) AND (deadline_at = 0 OR deadline_at > ${now})`;
  }

  private mine(worker: Buffer, ids: readonly Buffer[]): Sql {
    return sql`SELECT ${COLUMNS} FROM tasks${this.database.dialect.byPrimary} WHERE id IN (${list(ids)}) AND state = 'running' AND worker_id = ${worker}`;
  }
}

function claimedOf(outcome: Outcome | undefined): ClaimedTask[] {
  return ((outcome?.rows ?? []) as unknown as ClaimedRow[]).map(taskOf);
}

function taskOf(row: ClaimedRow): ClaimedTask {
  return {
    id: idText(row.id),
    bytes: row.id,
    tenant: row.tenant,
    queue: row.queue,
    lane: laneAt(row.lane),
    name: row.name,
    attempt: row.attempt,
    failures: row.failures,
    crashes: row.crashes,
    snoozes: row.snoozes,
    fallbacks: row.fallbacks,
    maxAttempts: row.max_attempts,
    timeoutMs: row.timeout_ms,
    retry: parseOptions(row.options).retry ?? null,
    payload: row.payload,
    startedAt: row.started_at,
    deadlineAt: row.deadline_at,
    createdAt: row.created_at,
  };
}
