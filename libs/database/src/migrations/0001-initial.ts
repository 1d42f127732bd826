/**
 * The first schema. Invariants that the code relies on stand here a second time, as CHECK constraints: a finished task has a
 * finish time, a running one has a worker, and the phase that the indexes carry agrees with the state.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { createTable, ddlWords, type DdlWords, type TableDefinition } from './ddl.js';

const STATES = ['scheduled', 'queued', 'running', 'retrying', 'succeeded', 'failed', 'cancelled', 'expired'];
const PHASES = ['waiting', 'unrung', 'live', 'succeeded', 'failed', 'cancelled', 'expired'];
const REASONS = ['none', 'attempts_exhausted', 'permanent_error', 'poison', 'unknown_handler', 'deadline_exceeded'];
const ENDS = ['none', 'failed', 'discarded', 'cancelled', 'expired'];
const OUTCOMES = ['succeeded', 'failed', 'timed_out', 'cancelled', 'lost', 'released', 'snoozed'];

function tables(t: DdlWords): TableDefinition[] {
  const zero = (type: string): string => `${type} DEFAULT 0 NOT NULL`;
  return [
    {
      name: 'tasks',
      columns: [
        ['id', t.id],
        ['tenant', t.word(64)],
        ['queue', t.word(64)],
        ['name', t.word(128)],
        ['lane', t.small],
        ['priority', t.small],
        ['phase', t.choice(PHASES)],
        ['state', t.choice(STATES)],
        ['reason', `${t.choice(REASONS)} DEFAULT 'none' NOT NULL`],
        ['ended', `${t.choice(ENDS)} DEFAULT 'none' NOT NULL`],
        ['attempt', zero(t.count)],
        ['failures', zero(t.count)],
        ['crashes', zero(t.count)],
        ['snoozes', zero(t.count)],
        ['fallbacks', zero(t.small)],
        ['max_attempts', zero(t.count)],
        ['timeout_ms', zero(t.count)],
        ['worker_id', t.id],
        ['run_at', t.time],
        ['expires_at', zero(t.time)],
        ['deadline_at', zero(t.time)],
        ['created_at', t.time],
        ['updated_at', t.time],
        ['started_at', zero(t.time)],
        ['finished_at', zero(t.time)],
        ['rung_at', zero(t.time)],
        ['created_by', t.word(255)],
        ['options', t.long],
        ['payload', t.long],
      ],
      primaryKey: ['id'],
      checks: {
        ck_tasks_finished: `(finished_at > 0) = (state IN ('succeeded','failed','cancelled','expired'))`,
        ck_tasks_worker: `(worker_id <> ${t.nobody}) = (state = 'running')`,
        ck_tasks_reason: `(reason <> 'none') = (state = 'failed') AND reason IN (${REASONS.map((reason) => `'${reason}'`).join(',')})`,
        ck_tasks_phase:
          `(state IN ('scheduled','retrying') AND phase = 'waiting' AND ended = 'none') OR (state = 'queued' AND phase IN ('unrung','live') AND ended = 'none')` +
          ` OR (state = 'running' AND phase = 'live' AND ended = 'none') OR (state = 'succeeded' AND phase = 'succeeded' AND ended = 'none')` +
          ` OR (state = 'failed' AND phase = 'failed' AND ended IN ('failed','discarded')) OR (state = 'cancelled' AND phase = 'cancelled' AND ended = 'cancelled')` +
          ` OR (state = 'expired' AND phase = 'expired' AND ended = 'expired')`,
        ck_tasks_lane: `lane IN (0, 1, 2)`,
      },
      indexes: { ix_tasks_phase: ['phase', 'queue', 'lane', 'tenant', 'id'], ix_tasks_tenant: ['tenant', 'ended', 'id'] },
    },
    {
      name: 'attempts',
      columns: [
        ['task_id', t.id],
        ['attempt', t.count],
        ['outcome', t.choice(OUTCOMES)],
        ['worker_id', t.id],
        ['started_at', t.time],
        ['finished_at', t.time],
        ['error_code', t.word(64)],
        ['error_message', t.word(2000)],
        ['result', `${t.long} NULL`],
      ],
      primaryKey: ['task_id', 'attempt'],
      checks: { ck_attempts_outcome: `outcome IN (${OUTCOMES.map((outcome) => `'${outcome}'`).join(',')})` },
    },
    {
      name: 'timers',
      columns: [
        ['task_id', t.id],
        ['kind', t.choice(['run', 'expire', 'deadline', 'unhandled'])],
        ['due_at', t.time],
      ],
      primaryKey: ['task_id', 'kind'],
      checks: { ck_timers_kind: `kind IN ('run','expire','deadline','unhandled')` },
      indexes: { ix_timers_due: ['kind', 'due_at'] },
    },
    {
      name: 'idempotency_keys',
      columns: [
        ['tenant', t.word(64)],
        ['key_hash', t.hash],
        ['fingerprint', t.hash],
        ['task_id', t.id],
        ['created_at', t.time],
      ],
      primaryKey: ['tenant', 'key_hash'],
      indexes: { ix_idempotency_keys_created: ['created_at'] },
    },
    {
      name: 'task_tags',
      columns: [
        ['tenant', t.word(64)],
        ['tag', t.word(64)],
        ['task_id', t.id],
      ],
      primaryKey: ['tenant', 'tag', 'task_id'],
      indexes: { ix_task_tags_task: ['task_id'] },
    },
    {
      name: 'task_progress',
      columns: [
        ['task_id', t.id],
        ['fraction', t.number],
        ['message', t.word(500)],
        ['updated_at', t.time],
      ],
      primaryKey: ['task_id'],
    },
    {
      name: 'cancel_requests',
      columns: [
        ['task_id', t.id],
        ['worker_id', t.id],
        ['requested_at', t.time],
        ['requested_by', t.word(255)],
      ],
      primaryKey: ['task_id'],
      indexes: { ix_cancel_requests_worker: ['worker_id'] },
    },
    {
      name: 'workers',
      columns: [
        ['id', t.id],
        ['host', t.word(255)],
        ['pid', t.count],
        ['state', t.choice(['live', 'draining', 'stopped', 'lost'])],
        ['queues', t.long],
        ['handlers', t.long],
        ['concurrency', t.count],
        ['lease_ms', t.count],
        ['beat', t.time],
        ['solo_task', t.id],
        ['started_at', t.time],
        ['heartbeat_at', t.time],
      ],
      primaryKey: ['id'],
      checks: { ck_workers_state: `state IN ('live','draining','stopped','lost')` },
    },
    {
      name: 'queues',
      columns: [
        ['tenant', t.word(64)],
        ['name', t.word(64)],
        ['paused_at', zero(t.time)],
        ['paused_by', t.word(255)],
        ['created_at', t.time],
      ],
      primaryKey: ['tenant', 'name'],
    },
  ];
}

export class Initial0000000000001 implements MigrationInterface {
  readonly name = 'Initial0000000000001';

  async up(runner: QueryRunner): Promise<void> {
    const words = ddlWords(runner.dataSource.options.type);
    for (const table of tables(words)) for (const statement of createTable(words, table)) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    const words = ddlWords(runner.dataSource.options.type);
    for (const table of tables(words).reverse()) await runner.query(`DROP TABLE ${words.name(table.name)}`);
  }
}
