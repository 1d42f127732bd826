/**
 * Tokens that are refused before their time. A row that is taken back stays until it expires, marked, so that whoever reads only
 * what has changed learns of that too.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { createTable, ddlWords, type DdlWords, type TableDefinition } from './ddl.js';

function table(t: DdlWords): TableDefinition {
  return {
    name: 'token_revocations',
    columns: [
      ['id', t.id],
      ['tenant', t.word(64)],
      ['kind', t.choice(['id', 'subject', 'tenant'])],
      ['value', t.word(128)],
      ['not_before', t.time],
      ['revoked_at', t.time],
      ['expires_at', t.time],
      ['revoked_by', t.word(255)],
      ['reason', t.word(500)],
      ['lifted_at', `${t.time} DEFAULT 0 NOT NULL`],
      ['changed_at', t.time],
    ],
    primaryKey: ['id'],
    checks: { ck_token_revocations_kind: `kind IN ('id','subject','tenant') AND (kind = 'tenant') = (value = '')` },
    indexes: {
      ix_token_revocations_tenant: ['tenant', 'id'],
      ix_token_revocations_changed: ['changed_at', 'id'],
      ix_token_revocations_expires: ['expires_at'],
    },
  };
}

export class TokenRevocations0000000000003 implements MigrationInterface {
  readonly name = 'TokenRevocations0000000000003';

  async up(runner: QueryRunner): Promise<void> {
    const words = ddlWords(runner.dataSource.options.type);
    for (const statement of createTable(words, table(words))) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    const words = ddlWords(runner.dataSource.options.type);
    await runner.query(`DROP TABLE ${words.name('token_revocations')}`);
  }
}
