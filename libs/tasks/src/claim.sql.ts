/**
 * The statements of a claim, and the shape of what it gets. `take` is the compare-and-set that makes tasks a worker's; `mine` reads
 * what came of it, in the same round trip. Both ways to claim, with and without a limit, are made of these.
 */
import { type Dialect, idText, list, type Outcome, sql, type Sql } from '@app/database';
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

export interface ClaimedRow {
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

/** What a claim does not know of a task whose place it knows. */
const OWN_COLUMNS = sql`id, name, attempt, failures, crashes, snoozes, fallbacks, max_attempts, timeout_ms, options, payload, deadline_at, created_at`;

export const COLUMNS = sql`${OWN_COLUMNS}, tenant, queue, lane, started_at`;

/** A row as its claim has found and locked it. */
export type LockedRow = Omit<ClaimedRow, 'tenant' | 'queue' | 'lane' | 'started_at'>;

/** What a claim asks a place for. */
export interface Wanted {
  most: number;
  /** Are passed over. */
  except?: readonly Buffer[];
  /** What stands up to this id is passed over as well. */
  after?: Buffer | null;
  /** How many of the oldest are looked at, those that somebody else holds among them; as many as are wanted unless given. */
  candidates?: number;
}

/** Locks and reads the oldest of one place that may run, past what other workers are claiming. */
export function oldestWhole(dialect: Dialect, place: Backlog, wanted: Wanted): Sql {
  return oldest(dialect, place, wanted, OWN_COLUMNS);
}

/**
 * The same for their ids alone, where perhaps not all of them are taken. They are found without a lock and locked by their ids: a scan that locks
 * keeps, on MariaDB, the lock of every row that it passes over, and those of the backlog that run are somebody's to settle. In no order.
 */
export function oldest(dialect: Dialect, place: Backlog, wanted: Wanted, what: Sql = sql`id`): Sql {
  const { now, by, byPrimary, joinNext, lockFree } = dialect;
  const { most, except = [], after = null, candidates = most } = wanted;
  const behind = after === null ? sql`` : sql` AND id > ${after}`;
  const others = except.length === 0 ? sql`` : sql` AND id NOT IN (${list(except)})`;
  const mayRun = sql`state = 'queued' AND (expires_at = 0 OR expires_at > ${now}) AND (deadline_at = 0 OR deadline_at > ${now})`;
  const found = sql`SELECT id AS candidate FROM tasks${by('ix_tasks_phase')} WHERE phase = 'unrung' AND queue = ${place.queue} AND lane = ${laneNumber(place.lane)} AND tenant = ${place.tenant}${behind} AND ${mayRun}${others} ORDER BY id LIMIT ${candidates}`;
  return sql`SELECT ${what} FROM (${found}) AS oldest${joinNext}tasks${byPrimary} ON id = candidate WHERE phase = 'unrung' AND ${mayRun} LIMIT ${most}${lockFree}`;
}

/** Locks those of the ids that may run, past what somebody else holds. */
export function claimable({ now, byPrimary, lockFree }: Dialect, ids: readonly Buffer[]): Sql {
  return sql`SELECT id FROM tasks${byPrimary} WHERE id IN (${list(ids)}) AND state = 'queued' AND (expires_at = 0 OR expires_at > ${now}) AND (deadline_at = 0 OR deadline_at > ${now}) ORDER BY id${lockFree}`;
}

/** Makes those of the ids that may run the worker's. `at`: when, by the database's clock. `noted`: with a note, they stay `unrung`. */
export function take({ now, byPrimary }: Dialect, worker: Buffer, ids: readonly Buffer[], at: Sql = now, noted = false): Sql {
  const phase = noted ? sql`` : sql`phase = 'live', `;
  return sql`UPDATE tasks${byPrimary} SET state = 'running', ${phase}worker_id = ${worker}, attempt = attempt + 1, started_at = ${at}, updated_at = ${at} WHERE id IN (${list(ids)}) AND state = 'queued' AND (expires_at = 0 OR expires_at > ${now}) AND (deadline_at = 0 OR deadline_at > ${now})`;
}

/** Those of the ids that are the worker's. */
export function mine({ byPrimary }: Dialect, worker: Buffer, ids: readonly Buffer[]): Sql {
  return sql`SELECT ${COLUMNS} FROM tasks${byPrimary} WHERE id IN (${list(ids)}) AND state = 'running' AND worker_id = ${worker}`;
}

export function claimedOf(outcome: Outcome | undefined): ClaimedTask[] {
  return ((outcome?.rows ?? []) as unknown as ClaimedRow[]).map(taskOf);
}

export function taskOf(row: ClaimedRow): ClaimedTask {
  const { tenant, queue, lane, attempt, started_at: startedAt } = row;
  return taskAt({ tenant, queue, lane: laneAt(lane) }, row, attempt, startedAt);
}

/** The task of a place, as a claim has made it. */
export function taskAt({ tenant, queue, lane }: Backlog, row: LockedRow, attempt: number, startedAt: number): ClaimedTask {
  return {
    id: idText(row.id),
    bytes: row.id,
    tenant,
    queue,
    lane,
    name: row.name,
    attempt,
    failures: row.failures,
    crashes: row.crashes,
    snoozes: row.snoozes,
    fallbacks: row.fallbacks,
    maxAttempts: row.max_attempts,
    timeoutMs: row.timeout_ms,
    retry: parseOptions(row.options).retry ?? null,
    payload: row.payload,
    startedAt,
    deadlineAt: row.deadline_at,
    createdAt: row.created_at,
  };
}
