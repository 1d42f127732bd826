/** One row per tenant with a limit on what it runs at a time: its claims take turns on it. Nothing is counted here. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { createTable, ddlWords, type DdlWords, type TableDefinition } from './ddl.js';

function table(t: DdlWords): TableDefinition {
  return { name: 'running_turns', columns: [['tenant', t.word(64)]], primaryKey: ['tenant'] };
}

export class RunningTurns0000000000007 implements MigrationInterface {
  readonly name = 'RunningTurns0000000000007';

  async up(runner: QueryRunner): Promise<void> {
    const words = ddlWords(runner.dataSource.options.type);
    for (const statement of createTable(words, table(words))) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    const words = ddlWords(runner.dataSource.options.type);
    await runner.query(`DROP TABLE ${words.name('running_turns')}`);
  }
}
