/**
 * What tasks leave behind besides their attempts, and what operators do to them: events that no attempt row tells, checkpoints,
 * resources outside of the system that somebody must let go of, the audit log, and operations over many tasks.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { createTable, ddlWords, type DdlWords, type TableDefinition } from './ddl.js';

const ACTIONS = ['retry', 'cancel', 'discard'];
const BULK_STATES = ['running', 'finished', 'aborted', 'failed'];
const quoted = (words: readonly string[]): string => words.map((word) => `'${word}'`).join(',');

function tables(t: DdlWords): TableDefinition[] {
  const zero = (type: string): string => `${type} DEFAULT 0 NOT NULL`;
  return [
    {
      name: 'task_events',
      columns: [
        ['task_id', t.id],
        ['at', t.time],
        ['kind', t.word(32)],
        ['actor', t.word(255)],
        ['detail', t.word(2000)],
      ],
      primaryKey: ['task_id', 'at', 'kind'],
    },
    {
      name: 'task_checkpoints',
      columns: [
        ['task_id', t.id],
        ['attempt', t.count],
        ['handler', t.word(128)],
        ['data', t.long],
        ['updated_at', t.time],
      ],
      primaryKey: ['task_id'],
    },
    {
      name: 'task_resources',
      columns: [
        ['id', t.id],
        ['task_id', t.id],
        ['tenant', t.word(64)],
        ['handler', t.word(128)],
        ['attempt', t.count],
        ['kind', t.word(64)],
        ['ref', t.word(1000)],
        ['tries', zero(t.count)],
        ['last_error', t.word(2000)],
        ['check_at', t.time],
        ['created_at', t.time],
      ],
      primaryKey: ['id'],
      indexes: { ix_task_resources_check: ['handler', 'check_at'], ix_task_resources_task: ['task_id'] },
    },
    {
      name: 'audit_entries',
      columns: [
        ['id', t.id],
        ['tenant', t.word(64)],
        ['at', t.time],
        ['actor', t.word(255)],
        ['action', t.word(64)],
        ['target', t.word(128)],
        ['reason', t.word(500)],
        ['detail', t.long],
      ],
      primaryKey: ['id'],
      indexes: { ix_audit_entries_tenant: ['tenant', 'id'] },
    },
    {
      name: 'bulk_operations',
      columns: [
        ['id', t.id],
        ['tenant', t.word(64)],
        ['action', t.choice(ACTIONS)],
        ['filter', t.long],
        ['state', t.choice(BULK_STATES)],
        ['rate_per_second', t.count],
        ['cursor_id', t.id],
        ['examined', zero(t.time)],
        ['done', zero(t.time)],
        ['skipped', zero(t.time)],
        ['refusals', zero(t.small)],
        ['next_at', t.time],
        ['requested_by', t.word(255)],
        ['reason', t.word(500)],
        ['error', t.word(2000)],
        ['created_at', t.time],
        ['updated_at', t.time],
        ['finished_at', zero(t.time)],
      ],
      primaryKey: ['id'],
      checks: {
        ck_bulk_operations_finished: `(finished_at > 0) = (state <> 'running')`,
        ck_bulk_operations_words: `action IN (${quoted(ACTIONS)}) AND state IN (${quoted(BULK_STATES)})`,
      },
      indexes: { ix_bulk_operations_due: ['state', 'next_at'], ix_bulk_operations_tenant: ['tenant', 'id'] },
    },
  ];
}

export class History0000000000002 implements MigrationInterface {
  readonly name = 'History0000000000002';

  async up(runner: QueryRunner): Promise<void> {
    const words = ddlWords(runner.dataSource.options.type);
    for (const table of tables(words)) for (const statement of createTable(words, table)) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    const words = ddlWords(runner.dataSource.options.type);
    for (const table of tables(words).reverse()) await runner.query(`DROP TABLE ${words.name(table.name)}`);
  }
}
