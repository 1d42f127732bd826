/** Turns rows into what the rest of the system sees, and options into the one text column that is written once. */
import { idText } from '@app/database';
import type { AttemptRow, TaskRow } from './entities.js';
import type { Entry, InsertedRow } from './submit.sql.js';
import type { NewTask, RetryPolicy, TaskProgress, TaskView } from './task.js';

/** What only people and the executor read, and nothing searches: kept as one JSON text. */
export interface TaskOptions {
  retry?: RetryPolicy;
  tags?: readonly string[];
  metadata?: Readonly<Record<string, unknown>>;
}

/** What most tasks have. */
const NO_OPTIONS = '{}';

export function optionsText(task: NewTask): string {
  const options: TaskOptions = {};
  if (task.retry !== null) options.retry = task.retry;
  if (task.tags.length > 0) options.tags = task.tags;
  if (task.metadata !== null) options.metadata = task.metadata;
  return Object.keys(options).length === 0 ? NO_OPTIONS : JSON.stringify(options);
}

/**
 * What a column of JSON holds; undefined where it holds none, which only somebody who edits rows by hand can bring about. One such row
 * must not stop a worker that claims it together with others, nor hide the list that it stands in.
 */
function readJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

export function parseOptions(text: string): TaskOptions {
  if (text === NO_OPTIONS) return {};
  const options = readJson(text);
  return typeof options === 'object' && options !== null ? options : {};
}

const timeOrNull = (ms: number): number | null => (ms === 0 ? null : ms);

export function viewOfNew({ id, task }: Entry, row: InsertedRow): TaskView {
  return {
    id: idText(id),
    tenant: task.tenant,
    name: task.name,
    queue: task.queue,
    priority: task.priority,
    state: row.state,
    reason: null,
    discarded: false,
    payload: JSON.parse(task.payload) as unknown,
    result: null,
    lastError: null,
    attempt: 0,
    failures: 0,
    crashes: 0,
    maxAttempts: task.maxAttempts,
    retry: task.retry,
    progress: null,
    tags: task.tags,
    metadata: task.metadata,
    runAt: row.run_at,
    timeoutMs: task.timeoutMs,
    expiresAt: task.expiresAt,
    deadlineAt: timeOrNull(row.deadline_at),
    createdAt: row.created_at,
    createdBy: task.createdBy,
    updatedAt: row.created_at,
    startedAt: null,
    finishedAt: null,
    cancelRequested: false,
  };
}

/** The parts of a view that live in other tables. */
export interface Extras {
  /** The latest attempt that carries a result or an error. */
  attempts: readonly Pick<AttemptRow, 'attempt' | 'outcome' | 'error_code' | 'error_message' | 'result'>[];
  progress: TaskProgress | null;
  cancelRequested: boolean;
}

export function viewOf(row: TaskRow, extras: Extras): TaskView {
  const options = parseOptions(row.options);
  const final = extras.attempts.find((attempt) => attempt.attempt === row.attempt && attempt.outcome === 'succeeded');
  const failed = [...extras.attempts].sort((a, b) => b.attempt - a.attempt).find((attempt) => attempt.error_code !== '');
  const result = row.state === 'succeeded' ? (final?.result ?? null) : null;
  return {
    id: idText(row.id),
    tenant: row.tenant,
    name: row.name,
    queue: row.queue,
    priority: row.priority,
    state: row.state,
    reason: row.reason === 'none' ? null : row.reason,
    discarded: row.ended === 'discarded',
    payload: readJson(row.payload) ?? null,
    result: result === null ? null : (readJson(result) ?? null),
    lastError: failed === undefined ? null : { code: failed.error_code, message: failed.error_message },
    attempt: row.attempt,
    failures: row.failures,
    crashes: row.crashes,
    maxAttempts: row.max_attempts === 0 ? null : row.max_attempts,
    retry: options.retry ?? null,
    progress: extras.progress,
    tags: options.tags ?? [],
    metadata: options.metadata ?? null,
    runAt: row.run_at,
    timeoutMs: row.timeout_ms === 0 ? null : row.timeout_ms,
    expiresAt: timeOrNull(row.expires_at),
    deadlineAt: timeOrNull(row.deadline_at),
    createdAt: row.created_at,
    createdBy: row.created_by,
    updatedAt: row.updated_at,
    startedAt: timeOrNull(row.started_at),
    finishedAt: timeOrNull(row.finished_at),
    cancelRequested: extras.cancelRequested && row.state === 'running',
  };
}
