/**
 * Pools of sessions that are set up before anyone uses them: UTC, READ COMMITTED, strict mode, statement and lock timeouts, and an
 * end for a session that falls silent in the middle of something: its locks are in everybody's way, and by default the server
 * would keep them for eight hours.
 * The settings are read back on every new connection; a proxy or server that ignores one would otherwise cut strings or shift
 * hours silently, so such a connection is destroyed and its first user gets an error. TypeORM's pool and ours are both made here.
 */
import { createPool, type Pool, type PoolConnection, type PoolOptions, type RowDataPacket } from 'mysql2';

export interface SessionSettings {
  engine: 'mysql' | 'mariadb';
  statementTimeoutMs: number;
  lockTimeoutMs: number;
  idleTransactionTimeoutMs: number;
}

const SQL_MODE = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO';

/** The engines count most limits in whole seconds. */
export function secondsOf(ms: number): number {
  return Math.max(1, Math.round(ms / 1_000));
}

function setUp(connection: PoolConnection, settings: SessionSettings): void {
  const lockSeconds = secondsOf(settings.lockTimeoutMs);
  const idleSeconds = secondsOf(settings.idleTransactionTimeoutMs);
  // MySQL limits only SELECT and counts in milliseconds; MariaDB limits every statement and counts in seconds. MySQL has no limit of
  // its own for a silence inside a transaction: each transaction brings one (`mysql-database.ts`).
  const limit =
    settings.engine === 'mariadb'
      ? `max_statement_time = ${settings.statementTimeoutMs / 1_000}, idle_transaction_timeout = ${idleSeconds}`
      : `max_execution_time = ${settings.statementTimeoutMs}`;
  const statements = [
    `SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED`,
    `SET SESSION time_zone = '+00:00', sql_mode = '${SQL_MODE}', innodb_lock_wait_timeout = ${lockSeconds}, autocommit = 1, ${limit}`,
    `SET SESSION net_read_timeout = ${idleSeconds}, net_write_timeout = ${idleSeconds}`,
  ];
  // All are sent before the first user's statement: the driver keeps the order, so none of them runs without its limits.
  for (const text of statements) {
    connection.query(text, (error) => {
      if (error !== null) connection.destroy();
    });
  }
  const isolation = settings.engine === 'mariadb' ? '@@tx_isolation' : '@@transaction_isolation';
  const question = `SELECT @@time_zone AS zone, @@sql_mode AS mode, @@character_set_connection AS charset, ${isolation} AS isolation`;
  connection.query<RowDataPacket[]>(question, (error, found) => {
    if (error !== null || !isAsSet(found[0])) connection.destroy();
  });
}

function isAsSet(row: RowDataPacket | undefined): boolean {
  const modes = String(row?.['mode'] ?? '').split(',');
  // The driver escapes with a backslash; where that is an ordinary character, a value could end its own string.
  const isSafe = modes.includes('STRICT_ALL_TABLES') && !modes.includes('NO_BACKSLASH_ESCAPES') && !modes.includes('ANSI_QUOTES');
  return isSafe && row?.['zone'] === '+00:00' && row['charset'] === 'utf8mb4' && row['isolation'] === 'READ-COMMITTED';
}

/** A pool whose connections are set up and checked before first use. */
export function createSessionPool(options: PoolOptions, settings: SessionSettings): Pool {
  const pool = createPool({
    ...options,
    charset: 'utf8mb4_bin',
    timezone: 'Z',
    supportBigNumbers: true,
    bigNumberStrings: false,
    stringifyObjects: true,
    enableKeepAlive: true,
  });
  pool.on('connection', (connection: PoolConnection) => {
    setUp(connection, settings);
  });
  return pool;
}
