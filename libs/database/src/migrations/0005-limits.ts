/**
 * What a tenant may, what it uses of that, and what its ended tasks have given back and nobody has taken off yet. Tasks that are
 * there already are counted here; what changes while an older build still runs beside this one, the recount corrects.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { createTable, ddlWords, type DdlWords, type TableDefinition } from './ddl.js';

function tables(t: DdlWords): TableDefinition[] {
  const zero = (type: string): string => `${type} DEFAULT 0 NOT NULL`;
  return [
    {
      name: 'limits',
      columns: [
        ['tenant', t.word(64)],
        ['queue', t.word(64)],
        ['name', t.word(32)],
        ['value', t.time],
        ['set_at', t.time],
        ['set_by', t.word(255)],
        ['reason', t.word(500)],
      ],
      primaryKey: ['tenant', 'queue', 'name'],
      checks: { ck_limits_value: 'value >= 0' },
    },
    {
      name: 'tenant_usage',
      columns: [
        ['tenant', t.word(64)],
        ['queue', t.word(64)],
        ['over_limit', zero(t.small)],
        ['tasks', zero(t.time)],
        ['payload_bytes', zero(t.time)],
        ['counted_at', zero(t.time)],
      ],
      primaryKey: ['tenant', 'queue'],
      checks: { ck_tenant_usage_over: 'over_limit = 0' },
    },
    {
      name: 'usage_returns',
      columns: [
        ['tenant', t.word(64)],
        ['id', t.id],
        ['queue', t.word(64)],
        ['tasks', t.count],
        ['payload_bytes', t.time],
      ],
      primaryKey: ['tenant', 'id', 'queue'],
    },
  ];
}

const COUNT = `INSERT INTO tenant_usage (tenant, queue, tasks, payload_bytes)
  SELECT tenant, '', COUNT(*), SUM(OCTET_LENGTH(payload)) FROM tasks WHERE phase IN ('waiting', 'unrung', 'live') GROUP BY tenant`;

export class Limits0000000000005 implements MigrationInterface {
  readonly name = 'Limits0000000000005';

  async up(runner: QueryRunner): Promise<void> {
    const words = ddlWords(runner.dataSource.options.type);
    for (const table of tables(words)) for (const statement of createTable(words, table)) await runner.query(statement);
    // One that was interrupted counts again.
    await runner.query('DELETE FROM tenant_usage');
    await runner.query(COUNT);
  }

  async down(runner: QueryRunner): Promise<void> {
    const words = ddlWords(runner.dataSource.options.type);
    for (const table of tables(words).reverse()) await runner.query(`DROP TABLE ${words.name(table.name)}`);
  }
}
