/** Request rates that hold for the whole installation and survive its restarts: one number per tenant, credential or address. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { createTable, ddlWords, type DdlWords, type TableDefinition } from './ddl.js';

function rateStates(t: DdlWords): TableDefinition {
  return {
    name: 'rate_states',
    columns: [
      ['scope', t.hash],
      ['tat', t.time],
      ['taken', t.time],
    ],
    primaryKey: ['scope'],
  };
}

export class Rates0000000000006 implements MigrationInterface {
  readonly name = 'Rates0000000000006';

  async up(runner: QueryRunner): Promise<void> {
    const words = ddlWords(runner.dataSource.options.type);
    for (const statement of createTable(words, rateStates(words))) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    const words = ddlWords(runner.dataSource.options.type);
    await runner.query(`DROP TABLE ${words.name('rate_states')}`);
  }
}
