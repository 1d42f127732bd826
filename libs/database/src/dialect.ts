/**
 * Every difference between the engines that a statement can notice, as fragments with one meaning each. A store writes one
 * statement and takes the odd word from here; nothing else in the code base asks which engine it talks to.
 */
import { sql, type Sql } from './sql.js';

export type Engine = 'mysql' | 'mariadb' | 'sqlite';

export interface Dialect {
  readonly engine: Engine;
  /** Milliseconds since the epoch by the database's clock, the same for the whole statement. */
  readonly now: Sql;
  /**
   * For many rows with one time: `fixNow` goes before them in the same transaction (empty where nothing is needed) and
   * `fixedNow` is then the short word for that time.
   */
  readonly fixNow: readonly Sql[];
  readonly fixedNow: Sql;
  /** Locks the rows read, skipping rows others hold. SQLite has one writer, so there is nothing to skip. */
  readonly lockFree: Sql;
  /** Locks the rows read, waiting for others. */
  readonly lock: Sql;
  /** Keeps the optimizer on the primary key, where an IN list of ids would otherwise lure it to a status index (measured: quadratic). */
  readonly byPrimary: Sql;
  /** Keeps the optimizer on the named index. */
  by(index: string): Sql;
  /** A join that reads what stands to its left first, whatever the optimizer thinks. */
  readonly joinNext: Sql;
  /** An insert that meets an existing row leaves it as it is. `key` are the columns of the unique key. */
  keepExisting(key: readonly string[]): Sql;
  /** An insert that meets an existing row overwrites the named columns. */
  overwrite(key: readonly string[], columns: readonly string[]): Sql;
}

const fragment = (text: string): Sql => ({ text, values: [] });
const nothing = sql``;

// Exact decimal arithmetic; the session's time zone is +00:00, so no hour is ambiguous.
const MYSQL_NOW = 'CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)';
const SQLITE_NOW = `CAST(unixepoch('subsec') * 1000 AS INTEGER)`;

function mysqlFamily(engine: 'mysql' | 'mariadb'): Dialect {
  return {
    engine,
    now: fragment(MYSQL_NOW),
    fixNow: [fragment(`SET @now = ${MYSQL_NOW}`)],
    fixedNow: fragment('@now'),
    lockFree: fragment(' FOR UPDATE SKIP LOCKED'),
    lock: fragment(' FOR UPDATE'),
    byPrimary: fragment(' FORCE INDEX (PRIMARY)'),
    by: (index) => fragment(` FORCE INDEX (${index})`),
    joinNext: fragment(' STRAIGHT_JOIN '),
    keepExisting: (key) => fragment(` ON DUPLICATE KEY UPDATE ${key[0]} = ${key[0]}`),
    overwrite: (_key, columns) => fragment(` ON DUPLICATE KEY UPDATE ${columns.map((name) => `${name} = VALUES(${name})`).join(', ')}`),
  };
}

const sqlite: Dialect = {
  engine: 'sqlite',
  now: fragment(SQLITE_NOW),
  fixNow: [],
  fixedNow: fragment(SQLITE_NOW),
  lockFree: nothing,
  lock: nothing,
  byPrimary: nothing,
  by: (index) => fragment(` INDEXED BY ${index}`),
  joinNext: fragment(' CROSS JOIN '),
  keepExisting: (key) => fragment(` ON CONFLICT (${key.join(', ')}) DO NOTHING`),
  overwrite: (key, columns) =>
    fragment(` ON CONFLICT (${key.join(', ')}) DO UPDATE SET ${columns.map((name) => `${name} = excluded.${name}`).join(', ')}`),
};

export function dialectOf(engine: Engine): Dialect {
  return engine === 'sqlite' ? sqlite : mysqlFamily(engine);
}
