/**
 * The tables of this lib as TypeORM entities. The hot paths write plain SQL; these serve the cold reads, and a test compares
 * them with the migrations so that neither can drift.
 */
import { EntitySchema } from 'typeorm';
import { columnTypes, type EntityFactory } from '@app/database';
import { checks } from './checks.js';
import { HISTORY_ENTITIES } from './history-entities.js';
import {
  ATTEMPT_OUTCOMES,
  FAILURE_REASONS,
  TASK_PHASES,
  TASK_STATES,
  type AttemptOutcome,
  type FailureReason,
  type TaskPhase,
  type TaskState,
} from './states.js';

export interface TaskRow {
  id: Buffer;
  tenant: string;
  queue: string;
  name: string;
  lane: number;
  priority: number;
  phase: TaskPhase;
  state: TaskState;
  reason: FailureReason | 'none';
  ended: 'none' | 'failed' | 'discarded' | 'cancelled' | 'expired';
  attempt: number;
  failures: number;
  crashes: number;
  snoozes: number;
  fallbacks: number;
  max_attempts: number;
  timeout_ms: number;
  worker_id: Buffer;
  run_at: number;
  expires_at: number;
  deadline_at: number;
  created_at: number;
  updated_at: number;
  started_at: number;
  finished_at: number;
  rung_at: number;
  created_by: string;
  options: string;
  payload: string;
  /** Of the payload, in UTF-8; 0 in a row that was made before there was this column. */
  payload_bytes: number;
}

export interface AttemptRow {
  task_id: Buffer;
  attempt: number;
  outcome: AttemptOutcome;
  worker_id: Buffer;
  started_at: number;
  finished_at: number;
  error_code: string;
  error_message: string;
  result: string | null;
}

export interface WorkerRow {
  id: Buffer;
  host: string;
  pid: number;
  state: 'live' | 'draining' | 'stopped' | 'lost';
  queues: string;
  handlers: string;
  concurrency: number;
  lease_ms: number;
  beat: number;
  solo_task: Buffer;
  started_at: number;
  heartbeat_at: number;
}

export interface QueueRow {
  tenant: string;
  name: string;
  paused_at: number;
  paused_by: string;
  created_at: number;
}

export const TIMER_KINDS = ['run', 'expire', 'deadline', 'unhandled'] as const;
export type TimerKind = (typeof TIMER_KINDS)[number];

const tasks: EntityFactory = (engine) => {
  const t = columnTypes(engine);
  return new EntitySchema<TaskRow>({
    name: 'Task',
    tableName: 'tasks',
    columns: {
      id: t.id({ primary: true }),
      tenant: t.word(64),
      queue: t.word(64),
      name: t.word(128),
      lane: t.small(),
      priority: t.small(),
      phase: t.choice(TASK_PHASES),
      state: t.choice(TASK_STATES),
      reason: t.choice(['none', ...FAILURE_REASONS], { default: 'none' }),
      ended: t.choice(['none', 'failed', 'discarded', 'cancelled', 'expired'], { default: 'none' }),
      attempt: t.count({ default: 0 }),
      failures: t.count({ default: 0 }),
      crashes: t.count({ default: 0 }),
      snoozes: t.count({ default: 0 }),
      fallbacks: t.small({ default: 0 }),
      max_attempts: t.count({ default: 0 }),
      timeout_ms: t.count({ default: 0 }),
      worker_id: t.id(),
      run_at: t.time(),
      expires_at: t.time({ default: 0 }),
      deadline_at: t.time({ default: 0 }),
      created_at: t.time(),
      updated_at: t.time(),
      started_at: t.time({ default: 0 }),
      finished_at: t.time({ default: 0 }),
      rung_at: t.time({ default: 0 }),
      created_by: t.word(255),
      options: t.long(),
      payload: t.long(),
      payload_bytes: t.count({ default: 0 }),
    },
    checks: checks(engine, { ck_tasks_finished: '', ck_tasks_worker: '', ck_tasks_reason: '', ck_tasks_phase: '', ck_tasks_lane: '' }),
    indices: [
      { name: 'ix_tasks_phase', columns: ['phase', 'queue', 'lane', 'tenant', 'id'] },
      { name: 'ix_tasks_tenant', columns: ['tenant', 'ended', 'id'] },
    ],
  });
};

const attempts: EntityFactory = (engine) => {
  const t = columnTypes(engine);
  return new EntitySchema<AttemptRow>({
    name: 'Attempt',
    tableName: 'attempts',
    columns: {
      task_id: t.id({ primary: true }),
      attempt: t.count({ primary: true }),
      outcome: t.choice(ATTEMPT_OUTCOMES),
      worker_id: t.id(),
      started_at: t.time(),
      finished_at: t.time(),
      error_code: t.word(64),
      error_message: t.word(2000),
      result: t.long({ nullable: true }),
    },
    checks: checks(engine, { ck_attempts_outcome: '' }),
  });
};

const timers: EntityFactory = (engine) => {
  const t = columnTypes(engine);
  return new EntitySchema({
    name: 'Timer',
    tableName: 'timers',
    columns: { task_id: t.id({ primary: true }), kind: t.choice(TIMER_KINDS, { primary: true }), due_at: t.time() },
    checks: checks(engine, { ck_timers_kind: '' }),
    indices: [{ name: 'ix_timers_due', columns: ['kind', 'due_at'] }],
  });
};

const idempotencyKeys: EntityFactory = (engine) => {
  const t = columnTypes(engine);
  return new EntitySchema({
    name: 'IdempotencyKey',
    tableName: 'idempotency_keys',
    columns: {
      tenant: t.word(64, { primary: true }),
      key_hash: t.hash({ primary: true }),
      fingerprint: t.hash(),
      task_id: t.id(),
      created_at: t.time(),
    },
    indices: [{ name: 'ix_idempotency_keys_created', columns: ['created_at'] }],
  });
};

const taskTags: EntityFactory = (engine) => {
  const t = columnTypes(engine);
  return new EntitySchema({
    name: 'TaskTag',
    tableName: 'task_tags',
    columns: { tenant: t.word(64, { primary: true }), tag: t.word(64, { primary: true }), task_id: t.id({ primary: true }) },
    indices: [{ name: 'ix_task_tags_task', columns: ['task_id'] }],
  });
};

const taskProgress: EntityFactory = (engine) => {
  const t = columnTypes(engine);
  return new EntitySchema({
    name: 'TaskProgress',
    tableName: 'task_progress',
    columns: { task_id: t.id({ primary: true }), fraction: t.number(), message: t.word(500), updated_at: t.time() },
  });
};

const cancelRequests: EntityFactory = (engine) => {
  const t = columnTypes(engine);
  return new EntitySchema({
    name: 'CancelRequest',
    tableName: 'cancel_requests',
    columns: { task_id: t.id({ primary: true }), worker_id: t.id(), requested_at: t.time(), requested_by: t.word(255) },
    indices: [{ name: 'ix_cancel_requests_worker', columns: ['worker_id'] }],
  });
};

const workers: EntityFactory = (engine) => {
  const t = columnTypes(engine);
  return new EntitySchema<WorkerRow>({
    name: 'Worker',
    tableName: 'workers',
    columns: {
      id: t.id({ primary: true }),
      host: t.word(255),
      pid: t.count(),
      state: t.choice(['live', 'draining', 'stopped', 'lost']),
      queues: t.long(),
      handlers: t.long(),
      concurrency: t.count(),
      lease_ms: t.count(),
      beat: t.time(),
      solo_task: t.id(),
      started_at: t.time(),
      heartbeat_at: t.time(),
    },
    checks: checks(engine, { ck_workers_state: '' }),
  });
};

const queues: EntityFactory = (engine) => {
  const t = columnTypes(engine);
  return new EntitySchema<QueueRow>({
    name: 'Queue',
    tableName: 'queues',
    columns: {
      tenant: t.word(64, { primary: true }),
      name: t.word(64, { primary: true }),
      paused_at: t.time({ default: 0 }),
      paused_by: t.word(255),
      created_at: t.time(),
    },
  });
};

const runningTurns: EntityFactory = (engine) => {
  const t = columnTypes(engine);
  return new EntitySchema({ name: 'RunningTurn', tableName: 'running_turns', columns: { tenant: t.word(64, { primary: true }) } });
};

const claimNotes: EntityFactory = (engine) => {
  const t = columnTypes(engine);
  return new EntitySchema({
    name: 'ClaimNote',
    tableName: 'claim_notes',
    columns: {
      first_id: t.id({ primary: true }),
      attempt: t.count({ primary: true }),
      claimed_at: t.time({ primary: true }),
      last_id: t.id(),
      tenant: t.word(64),
      queue: t.word(64),
      lane: t.small(),
      worker_id: t.id(),
    },
    indices: [{ name: 'ix_claim_notes_tenant', columns: ['tenant'] }],
  });
};

/** Everything this lib stores. */
export const TASK_ENTITIES: readonly EntityFactory[] = [
  tasks,
  attempts,
  timers,
  idempotencyKeys,
  taskTags,
  taskProgress,
  cancelRequests,
  workers,
  queues,
  runningTurns,
  claimNotes,
  ...HISTORY_ENTITIES,
];
