/** API keys, as hashes, and the row by which changes to the keys of one tenant take turns. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { createTable, ddlWords, type DdlWords, type TableDefinition } from './ddl.js';

function tables(t: DdlWords): TableDefinition[] {
  const never = `${t.time} DEFAULT 0 NOT NULL`;
  return [
    {
      name: 'api_keys',
      columns: [
        ['id', t.id],
        ['tenant', t.word(64)],
        ['name', t.word(128)],
        ['scopes', t.word(1000)],
        ['secret_hash', t.hash],
        ['previous_hash', t.hash],
        ['previous_until', never],
        ['made_by', t.id],
        ['created_by', t.word(255)],
        ['created_at', t.time],
        ['expires_at', t.time],
        ['rotated_at', never],
        ['revoked_at', never],
        ['last_used_at', never],
      ],
      primaryKey: ['id'],
      checks: { ck_api_keys_life: 'expires_at > created_at AND previous_until <= expires_at' },
      indexes: { ix_api_keys_tenant: ['tenant', 'id'] },
    },
    {
      name: 'api_key_turns',
      columns: [
        ['tenant', t.word(64)],
        ['taken_at', t.time],
      ],
      primaryKey: ['tenant'],
    },
  ];
}

export class ApiKeys0000000000004 implements MigrationInterface {
  readonly name = 'ApiKeys0000000000004';

  async up(runner: QueryRunner): Promise<void> {
    const words = ddlWords(runner.dataSource.options.type);
    for (const table of tables(words)) for (const statement of createTable(words, table)) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    const words = ddlWords(runner.dataSource.options.type);
    for (const table of tables(words).reverse()) await runner.query(`DROP TABLE ${words.name(table.name)}`);
  }
}
