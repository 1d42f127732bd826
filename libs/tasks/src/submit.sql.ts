/**
 * The statements of a submission. One group of submissions is one transaction; times are the database's, one for the whole
 * group. `queued` or `scheduled` is decided by the database's clock too, because the caller's may differ.
 */
import { constant, type Dialect, join, list, NOBODY, rows, sql, type Sql } from '@app/database';
import { makeUsage } from '@app/limits';
import { laneNumber, laneOf } from '@app/queue';
import type { IdempotencyClaim, NewTask } from './task.js';

/** A submission with everything decided that this process decides. */
export interface Entry {
  id: Buffer;
  task: NewTask;
  /** Where a queued task goes; a delayed one is stored `waiting` or, if it turns out to be due, `unrung`. */
  phase: 'live' | 'unrung';
  options: string;
  /** Of the payload, in UTF-8: counted once, and asked for by the row and by every look at the quotas. */
  payloadBytes: number;
}

/** What the database decided. */
export interface InsertedRow {
  id: Buffer;
  state: 'queued' | 'scheduled';
  created_at: number;
  run_at: number;
  deadline_at: number;
}

export interface IdempotencyRow {
  tenant: string;
  key_hash: Buffer;
  fingerprint: Buffer;
  task_id: Buffer;
}

export const isDelayed = (task: NewTask): boolean => task.runAt !== null || task.delayMs !== null;

function runAtOf(dialect: Dialect, task: NewTask): Sql {
  if (task.runAt !== null) return sql`${task.runAt}`;
  return task.delayMs === null ? dialect.fixedNow : sql`${dialect.fixedNow} + ${task.delayMs}`;
}

const nobody = constant(NOBODY);

function rowOf(dialect: Dialect, { id, task, phase, options, payloadBytes }: Entry): (string | number | Buffer | Sql)[] {
  const runAt = runAtOf(dialect, task);
  const delayed = isDelayed(task);
  const now = dialect.fixedNow;
  return [
    id,
    task.tenant,
    task.queue,
    task.name,
    laneNumber(laneOf(task.priority)),
    task.priority,
    delayed ? sql`CASE WHEN ${runAt} > ${now} THEN 'waiting' ELSE 'unrung' END` : phase,
    delayed ? sql`CASE WHEN ${runAt} > ${now} THEN 'scheduled' ELSE 'queued' END` : 'queued',
    task.maxAttempts ?? 0,
    task.timeoutMs ?? 0,
    nobody,
    runAt,
    task.expiresAt ?? 0,
    task.deadlineMs === null ? 0 : sql`${now} + ${task.deadlineMs}`,
    now,
    now,
    !delayed && phase === 'live' ? now : 0,
    task.createdBy,
    options,
    task.payload,
    payloadBytes,
  ];
}

/**
 * The statements that make the entries' rows, and last the one that reads back what the database decided. Where a queue is new, the usage of all
 * tenants is locked first: the order is in `usage.sql.ts` of `@app/limits`.
 */
export function insertStatements(dialect: Dialect, entries: readonly Entry[], newQueues: readonly (readonly [string, string])[]): Sql[] {
  const statements: Sql[] = [...dialect.fixNow];
  const now = dialect.fixedNow;
  if (newQueues.length > 0) {
    const values = rows(newQueues.map(([tenant, name]) => [tenant, name, 0, '', now]));
    statements.push(
      makeUsage(dialect, [...new Set(entries.map(({ task }) => task.tenant))]),
      sql`INSERT INTO queues (tenant, name, paused_at, paused_by, created_at) VALUES ${values}${dialect.keepExisting(['tenant', 'name'])}`,
    );
  }
  statements.push(
    sql`INSERT INTO tasks (id, tenant, queue, name, lane, priority, phase, state, max_attempts, timeout_ms, worker_id, run_at, expires_at, deadline_at, created_at, updated_at, rung_at, created_by, options, payload, payload_bytes) VALUES ${rows(entries.map((entry) => rowOf(dialect, entry)))}`,
  );
  const timers = entries.flatMap(({ id, task }) => {
    const due: (Buffer | string | number | Sql)[][] = [];
    if (isDelayed(task)) due.push([id, 'run', runAtOf(dialect, task)]);
    if (task.expiresAt !== null) due.push([id, 'expire', task.expiresAt]);
    if (task.deadlineMs !== null) due.push([id, 'deadline', sql`${now} + ${task.deadlineMs}`]);
    return due;
  });
  if (timers.length > 0) statements.push(sql`INSERT INTO timers (task_id, kind, due_at) VALUES ${rows(timers)}`);
  const tags = entries.flatMap(({ id, task }) => task.tags.map((tag) => [task.tenant, tag, id]));
  if (tags.length > 0) statements.push(sql`INSERT INTO task_tags (tenant, tag, task_id) VALUES ${rows(tags)}`);
  const asked = entries.filter(({ task }, index) => index === 0 || isDelayed(task) || task.deadlineMs !== null);
  statements.push(sql`SELECT id, state, created_at, run_at, deadline_at FROM tasks WHERE id IN (${list(asked.map((entry) => entry.id))})`);
  return statements;
}

export type KeyedEntry = Entry & { task: NewTask & { idempotency: IdempotencyClaim } };

export const isKeyed = (entry: Entry): entry is KeyedEntry => entry.task.idempotency !== null;

/** Takes the keys that are free, then reads who holds each: this request's id or an earlier one's. */
export function claimKeyStatements(dialect: Dialect, entries: readonly KeyedEntry[]): Sql[] {
  // In key order, so that two groups with the same keys wait for each other instead of deadlocking.
  const ordered = [...entries].sort((a, b) => Buffer.compare(a.task.idempotency.keyHash, b.task.idempotency.keyHash));
  const values = rows(
    ordered.map(({ id, task }) => [task.tenant, task.idempotency.keyHash, task.idempotency.fingerprint, id, dialect.now]),
  );
  const byTenant = new Map<string, Buffer[]>();
  for (const { task } of ordered) byTenant.set(task.tenant, [...(byTenant.get(task.tenant) ?? []), task.idempotency.keyHash]);
  const held = [...byTenant].map(([tenant, hashes]) => sql`(tenant = ${tenant} AND key_hash IN (${list(hashes)}))`);
  return [
    sql`INSERT INTO idempotency_keys (tenant, key_hash, fingerprint, task_id, created_at) VALUES ${values}${dialect.keepExisting(['tenant', 'key_hash'])}`,
    sql`SELECT tenant, key_hash, fingerprint, task_id FROM idempotency_keys WHERE ${join(held, ' OR ')}`,
  ];
}

/** Lets go of keys that this transaction has claimed for tasks that it does not make. */
export function freeKeys(entries: readonly KeyedEntry[]): Sql[] {
  return entries.map(
    ({ id, task }) =>
      sql`DELETE FROM idempotency_keys WHERE tenant = ${task.tenant} AND key_hash = ${task.idempotency.keyHash} AND task_id = ${id}`,
  );
}
