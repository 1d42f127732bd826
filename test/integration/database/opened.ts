/** Databases opened for one suite, through the port and past it, and all closed at its end. */
import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import { ENTITIES } from '../../../apps/server/entities.js';
import { migrate, openDatabase, type DatabaseOptions, type OpenDatabase } from '../../../libs/database/src/index.js';
import type { Backend } from '../../support/backends.js';

/** Short, because these tests wait for them to pass. */
export const LIMITS = {
  poolSize: 4,
  connectTimeoutMs: 2_000,
  acquireTimeoutMs: 2_000,
  statementTimeoutMs: 1_000,
  lockTimeoutMs: 1_000,
  idleTransactionTimeoutMs: 30_000,
  bootTimeoutMs: 5_000,
} as const;

export class Opened {
  private readonly closers: (() => Promise<void>)[] = [];

  /** Opens the database of this URL as the program does. */
  async open(url: string, overrides: Partial<DatabaseOptions> = {}): Promise<OpenDatabase> {
    const open = await openDatabase({ url, entities: ENTITIES, tls: 'off', random: () => 0.5, ...LIMITS, ...overrides });
    this.closers.push(() => open.database.close());
    return open;
  }

  /** A fresh database with the schema of this build. */
  async migrated(backend: Backend, overrides: Partial<DatabaseOptions> = {}): Promise<OpenDatabase & { url: string }> {
    const url = await backend.databaseUrl();
    const open = await this.open(url, overrides);
    await migrate(open.dataSource);
    return { ...open, url };
  }

  /** A connection of the test's own to a MySQL-family server. */
  async raw(url: string): Promise<Connection> {
    const connection = await createConnection({ uri: url, supportBigNumbers: true });
    connection.on('error', () => undefined);
    this.closers.push(() => {
      connection.destroy();
      return Promise.resolve();
    });
    return connection;
  }

  async close(): Promise<void> {
    for (const close of this.closers.splice(0).reverse()) await close().catch(() => undefined);
  }
}

/** The first row of the answer. */
export async function one(connection: Connection, text: string, values: readonly (string | number)[] = []): Promise<RowDataPacket> {
  const [found] = await connection.query<RowDataPacket[]>(text, [...values]);
  return found[0]!;
}

/** What a promise was rejected with; fails where it was not. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('this was expected to fail');
}

/** The servers among the backends of this run: none where only SQLite is tested. */
export const isServer = (backend: Backend): boolean => backend.name !== 'sqlite';
