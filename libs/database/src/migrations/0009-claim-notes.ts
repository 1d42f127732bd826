/**
 * One row per claim of many tasks from the backlog: those tasks run without leaving `unrung`, and the note says where they are. With it
 * the check of `phase` lets a running task be `unrung`. Every engine writes the whole table of tasks anew for that.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { createTable, ddlWords, replaceCheck, type DdlWords, type TableDefinition } from './ddl.js';

function table(t: DdlWords): TableDefinition {
  return {
    name: 'claim_notes',
    columns: [
      ['first_id', t.id],
      ['attempt', t.count],
      ['claimed_at', t.time],
      ['last_id', t.id],
      ['tenant', t.word(64)],
      ['queue', t.word(64)],
      ['lane', t.small],
      ['worker_id', t.id],
    ],
    primaryKey: ['first_id', 'attempt', 'claimed_at'],
    indexes: { ix_claim_notes_tenant: ['tenant'] },
  };
}

/** `running`: the phases in which a task may run. */
const phaseCheck = (running: string): string =>
  `(state IN ('scheduled','retrying') AND phase = 'waiting' AND ended = 'none') OR (state = 'queued' AND phase IN ('unrung','live') AND ended = 'none')` +
  ` OR (state = 'running' AND phase IN (${running}) AND ended = 'none') OR (state = 'succeeded' AND phase = 'succeeded' AND ended = 'none')` +
  ` OR (state = 'failed' AND phase = 'failed' AND ended IN ('failed','discarded')) OR (state = 'cancelled' AND phase = 'cancelled' AND ended = 'cancelled')` +
  ` OR (state = 'expired' AND phase = 'expired' AND ended = 'expired')`;

export class ClaimNotes0000000000009 implements MigrationInterface {
  readonly name = 'ClaimNotes0000000000009';

  async up(runner: QueryRunner): Promise<void> {
    const words = ddlWords(runner.dataSource.options.type);
    for (const statement of createTable(words, table(words))) await runner.query(statement);
    await replaceCheck(runner, words, 'tasks', 'ck_tasks_phase', phaseCheck(`'unrung','live'`));
  }

  async down(runner: QueryRunner): Promise<void> {
    const words = ddlWords(runner.dataSource.options.type);
    await runner.query(`UPDATE ${words.name('tasks')} SET phase = 'live' WHERE phase = 'unrung' AND state = 'running'`);
    await replaceCheck(runner, words, 'tasks', 'ck_tasks_phase', phaseCheck(`'live'`));
    await runner.query(`DROP TABLE IF EXISTS ${words.name('claim_notes')}`);
  }
}
