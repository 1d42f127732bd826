/** The HTTP contract as a client sees it, written down a second time on purpose: a change of the server's own words must show. */

export interface WireTask {
  id: string;
  name: string;
  queue: string;
  priority: number;
  state: 'scheduled' | 'queued' | 'running' | 'retrying' | 'succeeded' | 'failed' | 'cancelled' | 'expired';
  payload: unknown;
  result: unknown;
  lastError: { code: string; message: string } | null;
  attempt: number;
  failures: number;
  crashes: number;
  maxAttempts: number | null;
  progress: { fraction: number; message: string | null; updatedAt: string } | null;
  tags: string[];
  metadata: Record<string, unknown> | null;
  runAt: string;
  timeoutMs: number | null;
  expiresAt: string | null;
  createdAt: string;
  updatedAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  [other: string]: unknown;
}

export interface WireAttempt {
  attempt: number;
  outcome: string;
  workerId: string;
  startedAt: string;
  finishedAt: string;
  error: { code: string; message: string } | null;
  result: unknown;
}

export interface WireProblem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  requestId?: string;
  errors?: { pointer: string; code: string; message: string }[];
}

export interface WireBatch {
  items: { status: number; task?: WireTask; problem?: WireProblem }[];
}

export interface WirePage {
  items: WireTask[];
  nextCursor: string | null;
}

export interface WireQueue {
  name: string;
  paused: boolean;
  depth: Record<'scheduled' | 'queued' | 'running' | 'retrying' | 'failed', number>;
  oldestQueuedAgeMs: number | null;
  [other: string]: unknown;
}

export interface WireWorker {
  id: string;
  pid: number;
  state: 'live' | 'draining' | 'stopped' | 'lost';
  queues: string[];
  handlers: string[];
  [other: string]: unknown;
}

/** What may be submitted. Loose on purpose: tests send wrong things too. */
export interface WireNewTask {
  name: string;
  [other: string]: unknown;
}

export const FINAL_STATES: readonly string[] = ['succeeded', 'failed', 'cancelled', 'expired'];
