/**
 * What the rest of the system knows of a task: what is needed to make one, and how one is shown. Times are milliseconds
 * since the epoch (UTC) by the database's clock; the api turns them into ISO 8601.
 */
import type { AttemptOutcome, FailureReason, TaskState } from './states.js';

export const BACKOFFS = ['exponential', 'linear', 'fixed'] as const;
export type Backoff = (typeof BACKOFFS)[number];

/** How to pause between attempts. What is absent is filled from the handler's own policy, then from the configuration. */
export interface RetryPolicy {
  backoff?: Backoff;
  /** Pause before the second attempt, in ms. */
  baseMs?: number;
  /** Upper bound of any pause, in ms. */
  maxMs?: number;
  /** Share of the pause that is random, 0 (none) to 1 (all of it). */
  jitter?: number;
}

export const TASK_LIMITS = {
  nameLength: 128,
  queueLength: 64,
  tenantLength: 64,
  priorityMin: -100,
  priorityMax: 100,
  tags: 10,
  tagLength: 64,
  metadataBytes: 4_096,
  /** Largest accepted duration or pause, in ms: 30 days. */
  durationMsMax: 2_592_000_000,
  /** Longest a single attempt may run, in ms: 24 hours. */
  timeoutMsMax: 86_400_000,
  attemptsMax: 100,
  pageMax: 200,
  batchMax: 1_000,
  payloadDepthMax: 32,
} as const;

/** A task as it is handed in, validated by the caller. Absent options stay absent: the handler or the defaults decide. */
export interface NewTask {
  tenant: string;
  name: string;
  queue: string;
  /** −100 … 100, higher first. */
  priority: number;
  /** The payload exactly as JSON text; `null` is the text "null". */
  payload: string;
  /** When it may first run: an instant, or a pause from now; at most one of the two. */
  runAt: number | null;
  delayMs: number | null;
  maxAttempts: number | null;
  retry: RetryPolicy | null;
  timeoutMs: number | null;
  expiresAt: number | null;
  deadlineMs: number | null;
  tags: readonly string[];
  metadata: Readonly<Record<string, unknown>> | null;
  /** Who handed it in: the `sub` claim. */
  createdBy: string;
  idempotency: IdempotencyClaim | null;
}

export interface IdempotencyClaim {
  /** SHA-256 of the key, 32 bytes. */
  keyHash: Buffer;
  /** SHA-256 of the canonical request, 32 bytes: the same key with another one is refused. */
  fingerprint: Buffer;
}

export interface TaskError {
  code: string;
  message: string;
}

export interface TaskProgress {
  /** 0 … 1 */
  fraction: number;
  message: string | null;
  updatedAt: number;
}

/** A task as it is shown. */
export interface TaskView {
  id: string;
  tenant: string;
  name: string;
  queue: string;
  priority: number;
  state: TaskState;
  /** Set when `failed`. */
  reason: FailureReason | null;
  /** True for a `failed` task that an operator has put aside: it is no dead letter any more. */
  discarded: boolean;
  payload: unknown;
  result: unknown;
  lastError: TaskError | null;
  attempt: number;
  failures: number;
  crashes: number;
  /** `null`: the handler or the default decides. */
  maxAttempts: number | null;
  retry: RetryPolicy | null;
  progress: TaskProgress | null;
  tags: readonly string[];
  metadata: Readonly<Record<string, unknown>> | null;
  runAt: number;
  timeoutMs: number | null;
  expiresAt: number | null;
  deadlineAt: number | null;
  createdAt: number;
  createdBy: string;
  updatedAt: number;
  startedAt: number | null;
  finishedAt: number | null;
  /** True while a running task has been asked to stop. */
  cancelRequested: boolean;
}

export interface AttemptView {
  attempt: number;
  outcome: AttemptOutcome;
  workerId: string;
  startedAt: number;
  finishedAt: number;
  error: TaskError | null;
  result: unknown;
}

export interface TaskFilter {
  state?: TaskState;
  /** Why it failed; leaves out what has not. */
  reason?: FailureReason;
  /** True: only discarded tasks. False: all others. */
  discarded?: boolean;
  name?: string;
  queue?: string;
  tag?: string;
  /** Inclusive, ms. */
  createdAfter?: number;
  /** Exclusive, ms. */
  createdBefore?: number;
}

export interface TaskPage {
  items: TaskView[];
  /**
   * Id of the last row looked at, or null at the end. A page may be short, even empty, and still have a cursor: a filter
   * looks at a bounded number of rows per call.
   */
  nextCursor: string | null;
}

export interface Submitted {
  task: TaskView;
  /** True where an idempotency key answered with the task of an earlier request. */
  replayed: boolean;
}

export interface QueueView {
  name: string;
  paused: boolean;
  /** When it was paused, and by whom. */
  pausedAt: number | null;
  pausedBy: string | null;
  /** Not finished and dead-lettered tasks of the tenant per state; each counted up to `countedUpTo`. */
  depth: Record<'scheduled' | 'queued' | 'running' | 'retrying' | 'failed', number>;
  countedUpTo: number;
  /** Age in ms of the oldest queued task, or null. */
  oldestQueuedAgeMs: number | null;
}

export interface WorkerView {
  id: string;
  host: string;
  pid: number;
  state: 'live' | 'draining' | 'stopped' | 'lost';
  queues: readonly string[];
  handlers: readonly string[];
  concurrency: number;
  startedAt: number;
  heartbeatAt: number;
}
