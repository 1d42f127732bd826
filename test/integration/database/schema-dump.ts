/**
 * What the migrations have made, as text that is the same on every version of an engine: the committed files `schema.*.sql`
 * are compared with it, so that a change of a migration, of an entity or of an engine is seen in a review.
 */
import type { Database } from '../../../libs/database/src/index.js';

const plain = (text: string): { text: string; values: [] } => ({ text, values: [] });

export async function dumpSchema(database: Database): Promise<string> {
  const statements = database.dialect.engine === 'sqlite' ? await ofSqlite(database) : await ofServer(database);
  return `${statements.join(';\n\n')};\n`;
}

async function ofSqlite(database: Database): Promise<string[]> {
  const found = await database.query<{ sql: string }>(
    plain(`SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY tbl_name, type DESC, name`),
  );
  return found.map((row) => row.sql);
}

async function ofServer(database: Database): Promise<string[]> {
  const tables = await database.query<{ name: string }>(
    plain(`SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()`),
  );
  const statements: string[] = [];
  for (const name of tables.map((table) => table.name).sort()) {
    const [row] = await database.query(plain(`SHOW CREATE TABLE \`${name}\``));
    statements.push(withoutNoise(String(row?.['Create Table'])));
  }
  return statements;
}

/** Display widths, counters, collations that were not asked for and hints about versions differ between versions that mean the same. */
function withoutNoise(statement: string): string {
  return statement
    .replace(/ AUTO_INCREMENT=\d+/g, '')
    .replace(/\b(bigint|int|tinyint)\(\d+\)/g, '$1')
    .replace(/ COLLATE=\w+$/, '')
    .replace(/ CHARACTER SET \w+/g, '')
    .replace(/ COLLATE (utf8mb4_\w+)(?=[ ,])(?! ROW_FORMAT)/g, '')
    .replace(/\/\*!\d+ ([^*]*)\*\//g, '$1')
    .replace(/\b_utf8mb4\\?'/g, `'`)
    .replace(/\\'/g, `'`)
    .replace(/[ \t]+$/gm, '');
}
