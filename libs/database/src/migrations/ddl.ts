/**
 * The words of a CREATE TABLE that differ between the engines, so that a migration is written once and read once. Tables are
 * STRICT on SQLite (a text in a number column is refused there too) and InnoDB with a binary collation elsewhere.
 */
import type { QueryRunner } from 'typeorm';

export interface DdlWords {
  readonly id: string;
  readonly hash: string;
  readonly time: string;
  readonly count: string;
  readonly small: string;
  readonly number: string;
  readonly long: string;
  word(length: number): string;
  choice(words: readonly string[]): string;
  /** What follows the closing parenthesis. */
  readonly table: string;
  /**
   * Whether a CREATE TABLE can be undone. Where it cannot, a migration that was interrupted is run again over its first half, so
   * each table is made at once with its indexes, left alone where it is there, and looked at.
   */
  readonly transactional: boolean;
  /** The id nobody has: sixteen zero bytes. */
  readonly nobody: string;
  /** Quotes an identifier as TypeORM does on this engine. */
  name(identifier: string): string;
}

const quoted = (words: readonly string[]): string => words.map((word) => `'${word}'`).join(',');

export const NOBODY = `X'${'00'.repeat(16)}'`;

const mysqlWords: DdlWords = {
  id: 'binary(16)',
  hash: 'binary(32)',
  time: 'bigint',
  count: 'int',
  small: 'tinyint',
  number: 'double',
  long: 'mediumtext',
  word: (length) => `varchar(${length})`,
  choice: (words) => `enum(${quoted(words)})`,
  table: ' ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC',
  transactional: false,
  nobody: NOBODY,
  name: (identifier) => `\`${identifier}\``,
};

const sqliteWords: DdlWords = {
  id: 'blob',
  hash: 'blob',
  time: 'integer',
  count: 'integer',
  small: 'integer',
  number: 'real',
  long: 'text',
  word: () => 'text',
  choice: () => 'text',
  table: ' STRICT',
  transactional: true,
  nobody: NOBODY,
  name: (identifier) => `"${identifier}"`,
};

export function ddlWords(driverType: string): DdlWords {
  return driverType === 'better-sqlite3' ? sqliteWords : mysqlWords;
}

export interface TableDefinition {
  name: string;
  /** name → type; every column is NOT NULL unless the type says otherwise. */
  columns: readonly (readonly [name: string, type: string])[];
  primaryKey: readonly string[];
  checks?: Readonly<Record<string, string>>;
  indexes?: Readonly<Record<string, readonly string[]>>;
}

/** The statements that make one table and its indexes; they fail where another table has its name. */
export function createTable(words: DdlWords, table: TableDefinition): string[] {
  const n = (identifier: string): string => words.name(identifier);
  const listed = (names: readonly string[]): string => names.map(n).join(', ');
  const indexes = Object.entries(table.indexes ?? {});
  const lines = table.columns.map(([name, type]) => `${n(name)} ${type}${type.includes('NULL') ? '' : ' NOT NULL'}`);
  for (const [name, expression] of Object.entries(table.checks ?? {})) lines.push(`CONSTRAINT ${n(name)} CHECK (${expression})`);
  lines.push(`PRIMARY KEY (${listed(table.primaryKey)})`);
  if (words.transactional) {
    const onTable = indexes.map(([name, columns]) => `CREATE INDEX ${n(name)} ON ${n(table.name)} (${listed(columns)})`);
    return [`CREATE TABLE ${n(table.name)} (\n  ${lines.join(',\n  ')}\n)${words.table}`, ...onTable];
  }
  lines.push(...indexes.map(([name, columns]) => `INDEX ${n(name)} (${listed(columns)})`));
  return [
    `CREATE TABLE IF NOT EXISTS ${n(table.name)} (\n  ${lines.join(',\n  ')}\n)${words.table}`,
    `SELECT ${listed(table.columns.map(([name]) => name))} FROM ${n(table.name)} LIMIT 0`,
  ];
}

/**
 * Gives a check of a table another expression. SQLite cannot, so there the table is made anew under another name with the same rows, and
 * takes its place, all in the transaction of the migration.
 */
export async function replaceCheck(runner: QueryRunner, words: DdlWords, table: string, check: string, expression: string): Promise<void> {
  const n = (identifier: string): string => words.name(identifier);
  const constraint = `CONSTRAINT ${n(check)} CHECK (${expression})`;
  if (!words.transactional) {
    await runner.query(`ALTER TABLE ${n(table)} DROP CONSTRAINT ${n(check)}, ADD ${constraint}`);
    return;
  }
  const made = (await runner.query(`SELECT type, sql FROM sqlite_master WHERE tbl_name = '${table}' AND sql IS NOT NULL`)) as {
    type: string;
    sql: string;
  }[];
  const definition = made.find(({ type }) => type === 'table')?.sql ?? '';
  // One line per constraint, as `createTable` writes them.
  const changed = definition
    .replace(n(table), n(`${table}_new`))
    .split('\n')
    .map((line) => (line.includes(`CONSTRAINT ${n(check)} `) ? `  ${constraint}${line.endsWith(',') ? ',' : ''}` : line))
    .join('\n');
  if (!changed.includes(constraint)) throw new Error(`The table ${table} has no check ${check} on a line of its own.`);
  await runner.query(changed);
  await runner.query(`INSERT INTO ${n(`${table}_new`)} SELECT * FROM ${n(table)}`);
  await runner.query(`DROP TABLE ${n(table)}`);
  await runner.query(`ALTER TABLE ${n(`${table}_new`)} RENAME TO ${n(table)}`);
  for (const { sql } of made.filter(({ type }) => type === 'index')) await runner.query(sql);
}
