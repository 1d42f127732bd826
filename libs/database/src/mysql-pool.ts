/**
 * Pools of sessions that are set up before anyone uses them: UTC, READ COMMITTED, strict mode, statement and lock timeouts.
 * The settings are read back on every new connection; a proxy or server that ignores one would otherwise cut strings or shift
 * hours silently, so such a connection is destroyed and its first user gets an error. TypeORM's pool and ours are both made here.
 */
import { createPool, type Pool, type PoolConnection, type PoolOptions, type RowDataPacket } from 'mysql2';

export interface SessionSettings {
  engine: 'mysql' | 'mariadb';
  statementTimeoutMs: number;
  lockTimeoutMs: number;
}

const SQL_MODE = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO';

function setUp(connection: PoolConnection, settings: SessionSettings): void {
  const lockSeconds = Math.max(1, Math.round(settings.lockTimeoutMs / 1_000));
  // MySQL limits only SELECT and counts in milliseconds; MariaDB limits every statement and counts in seconds.
  const limit =
    settings.engine === 'mariadb'
      ? `max_statement_time = ${settings.statementTimeoutMs / 1_000}`
      : `max_execution_time = ${settings.statementTimeoutMs}`;
  const statements = [
    `SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED`,
    `SET SESSION time_zone = '+00:00', sql_mode = '${SQL_MODE}', innodb_lock_wait_timeout = ${lockSeconds}, autocommit = 1, ${limit}`,
  ];
  // All are sent before the first user's statement: the driver keeps the order, so none of them runs without its limits.
  for (const text of statements) {
    connection.query(text, (error) => {
      if (error !== null) connection.destroy();
    });
  }
  connection.query<RowDataPacket[]>('SELECT @@time_zone AS zone, @@sql_mode AS mode', (error, found) => {
    const row = error === null ? found[0] : undefined;
    const strict = String(row?.['mode'] ?? '').includes('STRICT_ALL_TABLES');
    if (row?.['zone'] !== '+00:00' || !strict) connection.destroy();
  });
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
