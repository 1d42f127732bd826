/** The tables of what tasks leave behind and of what operators do to them; see `entities.ts` for how entities are used here. */
import { EntitySchema } from 'typeorm';
import { columnTypes, type EntityFactory } from '@app/database';
import { checks } from './checks.js';

export const BULK_ACTIONS = ['retry', 'cancel', 'discard'] as const;
export type BulkAction = (typeof BULK_ACTIONS)[number];
export const BULK_STATES = ['running', 'finished', 'aborted', 'failed'] as const;
export type BulkState = (typeof BULK_STATES)[number];

export interface BulkRow {
  id: Buffer;
  tenant: string;
  action: BulkAction;
  filter: string;
  state: BulkState;
  rate_per_second: number;
  cursor_id: Buffer;
  examined: number;
  done: number;
  skipped: number;
  /** Steps in a row that the database has refused. */
  refusals: number;
  next_at: number;
  requested_by: string;
  reason: string;
  error: string;
  created_at: number;
  updated_at: number;
  finished_at: number;
}

const taskEvents: EntityFactory = (engine) => {
  const t = columnTypes(engine);
  return new EntitySchema({
    name: 'TaskEvent',
    tableName: 'task_events',
    columns: {
      task_id: t.id({ primary: true }),
      at: t.time({ primary: true }),
      kind: t.word(32, { primary: true }),
      actor: t.word(255),
      detail: t.word(2000),
    },
  });
};

const taskCheckpoints: EntityFactory = (engine) => {
  const t = columnTypes(engine);
  return new EntitySchema({
    name: 'TaskCheckpoint',
    tableName: 'task_checkpoints',
    columns: { task_id: t.id({ primary: true }), attempt: t.count(), handler: t.word(128), data: t.long(), updated_at: t.time() },
  });
};

const taskResources: EntityFactory = (engine) => {
  const t = columnTypes(engine);
  return new EntitySchema({
    name: 'TaskResource',
    tableName: 'task_resources',
    columns: {
      id: t.id({ primary: true }),
      task_id: t.id(),
      tenant: t.word(64),
      handler: t.word(128),
      attempt: t.count(),
      kind: t.word(64),
      ref: t.word(1000),
      tries: t.count({ default: 0 }),
      last_error: t.word(2000),
      check_at: t.time(),
      created_at: t.time(),
    },
    indices: [
      { name: 'ix_task_resources_check', columns: ['handler', 'check_at'] },
      { name: 'ix_task_resources_task', columns: ['task_id'] },
    ],
  });
};

const bulkOperations: EntityFactory = (engine) => {
  const t = columnTypes(engine);
  return new EntitySchema<BulkRow>({
    name: 'BulkOperation',
    tableName: 'bulk_operations',
    columns: {
      id: t.id({ primary: true }),
      tenant: t.word(64),
      action: t.choice(BULK_ACTIONS),
      filter: t.long(),
      state: t.choice(BULK_STATES),
      rate_per_second: t.count(),
      cursor_id: t.id(),
      examined: t.time({ default: 0 }),
      done: t.time({ default: 0 }),
      skipped: t.time({ default: 0 }),
      refusals: t.small({ default: 0 }),
      next_at: t.time(),
      requested_by: t.word(255),
      reason: t.word(500),
      error: t.word(2000),
      created_at: t.time(),
      updated_at: t.time(),
      finished_at: t.time({ default: 0 }),
    },
    checks: checks(engine, { ck_bulk_operations_finished: '', ck_bulk_operations_words: '' }),
    indices: [
      { name: 'ix_bulk_operations_due', columns: ['state', 'next_at'] },
      { name: 'ix_bulk_operations_tenant', columns: ['tenant', 'id'] },
    ],
  });
};

export const HISTORY_ENTITIES: readonly EntityFactory[] = [taskEvents, taskCheckpoints, taskResources, bulkOperations];
