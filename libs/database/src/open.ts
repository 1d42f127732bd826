/**
 * Opens the database a URL names: the TypeORM data source for entities, migrations and cold paths, and the port for
 * everything else. Waits for a server that is still starting, for a bounded time, because in a cluster nobody starts first.
 */
import mysql from 'mysql2';
import { DataSource, type EntitySchema, type Logger as TypeormLogger } from 'typeorm';
import { InvalidConfiguration, refusedPeer, Unavailable } from '@app/errors';
import { pause, SystemClock, type Clock } from '@app/lifecycle';
import { ColdPool } from './cold-pool.js';
import type { Database } from './database.js';
import type { Engine } from './dialect.js';
import { describe, driverErrorOf, isDenied } from './failures.js';
import { MIGRATIONS } from './migrations/index.js';
import { MysqlDatabase } from './mysql-database.js';
import { createSessionPool, type SessionSettings } from './mysql-pool.js';
import { asRendered } from './render.js';
import { assertPacketFits, packetBytesNeeded } from './packet-limit.js';
import { serverAddress, type DatabaseTls } from './server-address.js';
import { checkServer } from './server-checks.js';
import { SqliteDatabase } from './sqlite-database.js';
import { SqliteHandle, typeormDriver } from './sqlite-handle.js';

/** Makes the entity of one engine; the stores export these. */
export type EntityFactory = (engine: Engine) => EntitySchema;

export interface DatabaseOptions {
  url: string;
  entities: readonly EntityFactory[];
  poolSize: number;
  connectTimeoutMs: number;
  acquireTimeoutMs: number;
  statementTimeoutMs: number;
  lockTimeoutMs: number;
  /** After how long the server ends a session that says nothing in the middle of a transaction, in ms. Not on SQLite. */
  idleTransactionTimeoutMs: number;
  tls: 'off' | DatabaseTls;
  /** Largest payload, result or checkpoint, in bytes; the server must take statements with it. Not on SQLite. */
  largestValueBytes?: number;
  /** Makes the database itself where the server has none of that name; for the migration, not for the roles. */
  createDatabase?: boolean;
  /** How long to wait for a server that does not answer yet, in ms. */
  bootTimeoutMs: number;
  /** What to do about a server that may lose committed rows in a power cut; `refuse` unless told. Not on SQLite. */
  unsafeCommits?: 'refuse' | 'warn';
  random?: () => number;
  clock?: Clock;
  /** Told about each failed try to connect. */
  onWaiting?: (error: unknown) => void;
  /** Told, once per opening, about settings of the server that are worth a warning. */
  onAdvice?: (advice: string) => void;
}

export interface OpenDatabase {
  database: Database;
  dataSource: DataSource;
  engine: Engine;
}

/** TypeORM prints failed migrations by itself; the error says the same, and the caller reports it once. */
const quiet = (): void => undefined;
const SILENT: TypeormLogger = {
  logQuery: quiet,
  logQueryError: quiet,
  logQuerySlow: quiet,
  logSchemaBuild: quiet,
  logMigration: quiet,
  log: quiet,
};

const COLD_POOL_SIZE = 4;
const WAITING_FOR_CONNECTION_MAX = 1_000;
const RETRY_PAUSE_MS = 500;
const ANSWER_MS = 5_000;
/** How much longer than the server's own limit to wait for an answer, in ms. */
const ANSWER_MARGIN_MS = 2_000;
const TLS_ADVICE = 'See DATABASE_TLS, DATABASE_TLS_CA_FILE and DATABASE_TLS_SERVERNAME. Nothing was sent to it.';
const MINIMUM: Readonly<Record<'mysql' | 'mariadb', readonly [number, number]>> = { mysql: [8, 4], mariadb: [10, 11] };

/** Throws InvalidConfiguration for a file or server that cannot be used, Unavailable when none answered in time. */
export async function openDatabase(options: DatabaseOptions): Promise<OpenDatabase> {
  return options.url.startsWith('sqlite:') ? openSqlite(options) : openMysql(options);
}

async function openSqlite(options: DatabaseOptions): Promise<OpenDatabase> {
  const path = options.url.slice('sqlite:'.length);
  const handle = new SqliteHandle(path);
  const dataSource = new DataSource({
    type: 'better-sqlite3',
    database: path,
    driver: typeormDriver(handle),
    entities: options.entities.map((make) => make('sqlite')),
    migrations: [...MIGRATIONS],
    migrationsTableName: 'migrations',
    logger: SILENT,
  });
  await dataSource.initialize();
  return { database: new SqliteDatabase(handle, dataSource, options.clock ?? new SystemClock()), dataSource, engine: 'sqlite' };
}

async function openMysql(options: DatabaseOptions): Promise<OpenDatabase> {
  const server = {
    ...serverAddress(options.url, options.tls),
    connectTimeout: options.connectTimeoutMs,
    waitForConnections: true,
    queueLimit: WAITING_FOR_CONNECTION_MAX,
  };
  const engine = await waitForEngine(options.createDatabase === true ? { ...server, database: undefined } : server, options);
  await checkServer(async (text) => (await ask(server, text, options.createDatabase))[0], {
    unsafeCommits: options.unsafeCommits ?? 'refuse',
    onAdvice: options.onAdvice ?? (() => undefined),
  });
  const [packet] = await ask(server, 'SELECT @@max_allowed_packet AS bytes', options.createDatabase === true);
  assertPacketFits(Number(packet?.['bytes']), packetBytesNeeded(options.largestValueBytes ?? 0));
  if (options.createDatabase === true) await makeDatabase(server);
  const { statementTimeoutMs, lockTimeoutMs, idleTransactionTimeoutMs } = options;
  const session: SessionSettings = { engine, statementTimeoutMs, lockTimeoutMs, idleTransactionTimeoutMs };
  const limits = {
    acquireMs: options.acquireTimeoutMs,
    answerMs: statementTimeoutMs + ANSWER_MARGIN_MS,
    idleTransactionMs: idleTransactionTimeoutMs,
  };
  const dataSource = new DataSource({
    type: engine,
    database: server.database,
    supportBigNumbers: true,
    bigNumberStrings: false,
    driver: { createPool: () => new ColdPool(createSessionPool({ ...server, connectionLimit: COLD_POOL_SIZE }, session), limits) },
    entities: options.entities.map((make) => make(engine)),
    migrations: [...MIGRATIONS],
    migrationsTableName: 'migrations',
    logger: SILENT,
  });
  await dataSource.initialize().catch((error: unknown) => {
    const reason = driverErrorOf(error);
    throw refusalOf(reason) ?? describe(reason);
  });
  const pool = createSessionPool(
    { ...server, connectionLimit: options.poolSize, multipleStatements: true, queryFormat: asRendered },
    session,
  );
  const database = new MysqlDatabase(pool, dataSource, engine, limits, options.random ?? Math.random, options.clock ?? new SystemClock());
  return { database, dataSource, engine };
}

/** Connects until the server answers, and tells which of the two families it is. */
async function waitForEngine(server: mysql.ConnectionOptions, options: DatabaseOptions): Promise<'mysql' | 'mariadb'> {
  const deadline = performance.now() + options.bootTimeoutMs;
  for (;;) {
    try {
      return engineOf(String((await ask(server, 'SELECT VERSION() AS version'))[0]?.['version']));
    } catch (error) {
      if (error instanceof InvalidConfiguration) throw error;
      const refused = refusedPeer(error);
      if (refused !== null) throw new InvalidConfiguration([`DATABASE_URL: the server ${refused}. ${TLS_ADVICE}`]);
      const refusal = refusalOf(error);
      if (refusal !== null) throw refusal;
      if (performance.now() > deadline) throw new Unavailable('The database did not answer while this process started.', { cause: error });
      options.onWaiting?.(error);
      await pause(RETRY_PAUSE_MS);
    }
  }
}

/** Whoever may not make one can still find it made; opening it tells. */
async function makeDatabase(server: mysql.ConnectionOptions & { database: string }): Promise<void> {
  try {
    await ask(server, `CREATE DATABASE IF NOT EXISTS ${mysql.escapeId(server.database)}`, true);
  } catch (error) {
    if (!isDenied(error)) throw describe(error);
  }
}

/** One statement on a connection of its own, with or without a database selected. */
async function ask(server: mysql.ConnectionOptions, text: string, noDatabase = false): Promise<mysql.RowDataPacket[]> {
  const connection = mysql.createConnection(noDatabase ? { ...server, database: undefined } : server);
  try {
    return await new Promise<mysql.RowDataPacket[]>((resolve, reject) => {
      connection.on('error', reject);
      connection.query<mysql.RowDataPacket[]>({ sql: text, timeout: ANSWER_MS }, (error, rows) => {
        if (error === null) resolve(rows);
        else reject(error);
      });
    });
  } finally {
    connection.destroy();
  }
}

function engineOf(version: string): 'mysql' | 'mariadb' {
  const engine = version.includes('MariaDB') ? 'mariadb' : 'mysql';
  const [major = 0, minor = 0] = version
    .replace(/^5\.5\.5-/, '')
    .split('.')
    .map(Number);
  const [wantedMajor, wantedMinor] = MINIMUM[engine];
  if (major < wantedMajor || (major === wantedMajor && minor < wantedMinor)) {
    throw new InvalidConfiguration([
      `DATABASE_URL: the server is ${engine} ${major}.${minor}; MySQL 8.4 or MariaDB 10.11 and newer are supported.`,
    ]);
  }
  return engine;
}

const REFUSED: Readonly<Record<string, string>> = {
  ER_ACCESS_DENIED_ERROR: '',
  ER_DBACCESS_DENIED_ERROR: ' Grant this user the database; docs/operations.md says which rights.',
  ER_BAD_DB_ERROR: ' `npm run migrate` makes it, where its user may; or make it by hand first.',
};

/** Wrong password, no such database: waiting will not help. Null for any other error. */
function refusalOf(error: unknown): InvalidConfiguration | null {
  const { code, message } = error as { code?: unknown; message?: unknown };
  const advice = typeof code === 'string' && Object.hasOwn(REFUSED, code) ? REFUSED[code] : undefined;
  return advice === undefined ? null : new InvalidConfiguration([`DATABASE_URL: the server refuses: ${String(message)}.${advice}`]);
}
