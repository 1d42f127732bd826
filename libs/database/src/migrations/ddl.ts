/**
 * The words of a CREATE TABLE that differ between the engines, so that a migration is written once and read once. Tables are
 * STRICT on SQLite (a text in a number column is refused there too) and InnoDB with a binary collation elsewhere.
 */

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

/** The statements that make one table and its indexes. */
export function createTable(words: DdlWords, table: TableDefinition): string[] {
  const n = (identifier: string): string => words.name(identifier);
  const lines = table.columns.map(([name, type]) => `${n(name)} ${type}${type.includes('NULL') ? '' : ' NOT NULL'}`);
  for (const [name, expression] of Object.entries(table.checks ?? {})) lines.push(`CONSTRAINT ${n(name)} CHECK (${expression})`);
  lines.push(`PRIMARY KEY (${table.primaryKey.map(n).join(', ')})`);
  const statements = [`CREATE TABLE ${n(table.name)} (\n  ${lines.join(',\n  ')}\n)${words.table}`];
  for (const [name, columns] of Object.entries(table.indexes ?? {})) {
    statements.push(`CREATE INDEX ${n(name)} ON ${n(table.name)} (${columns.map(n).join(', ')})`);
  }
  return statements;
}
