/** The database and Redis of one campaign: private ones, to be killed and frozen, or a given database that is left in peace. */
import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { canInstallPackages, installPackages } from '../support/servers/packages.js';
import { canStartPrivateServers, canStartRedis, startMariaDb, startRedis } from '../support/servers/private.js';
import type { PrivateServer } from '../support/servers/server.js';

export interface Servers {
  /** Null where the database is a given one. */
  readonly database: PrivateServer | null;
  readonly redis: PrivateServer;
  /** With the name of the campaign's own database in it. */
  readonly databaseUrl: string;
  /** For people: `MariaDB 10.11.19, Redis 7.0.15`. */
  readonly versions: string;
  remove(): Promise<void>;
}

/** Throws where this machine cannot start servers. */
export async function startServers(given: string | null): Promise<Servers> {
  const isPossible = (): boolean => (given === null ? canStartPrivateServers() : canStartRedis());
  if (!isPossible() && canInstallPackages()) installPackages();
  if (!isPossible())
    throw new Error('A campaign needs a MariaDB or MySQL server and a Redis server that it may kill, and none can be started here.');
  const [database, redis] = await Promise.all([given === null ? startMariaDb() : null, startRedis()]);
  const server = database?.url ?? given ?? '';
  const name = `trx-chaos-${randomBytes(4).toString('hex')}`;
  const version = await createDatabase(server, name);
  const address = new URL(server);
  address.pathname = `/${name}`;
  return {
    database,
    redis,
    databaseUrl: address.href,
    versions: `${version}, ${await redisVersion(redis.url)}`,
    async remove() {
      if (database === null) await drop(server, name);
      await Promise.all([database?.remove(), redis.remove()]);
    },
  };
}

async function createDatabase(url: string, name: string): Promise<string> {
  const connection = await createConnection({ uri: url });
  try {
    await connection.query('CREATE DATABASE ?? CHARACTER SET utf8mb4', [name]);
    const [rows] = await connection.query<(RowDataPacket & { version: string })[]>('SELECT VERSION() AS version');
    const version = rows[0]?.version ?? '';
    return `${version.includes('MariaDB') ? 'MariaDB' : 'MySQL'} ${version.split('-')[0]}`;
  } finally {
    await connection.end();
  }
}

async function drop(url: string, name: string): Promise<void> {
  const connection = await createConnection({ uri: url });
  try {
    await connection.query('DROP DATABASE IF EXISTS ??', [name]);
  } finally {
    await connection.end();
  }
}

async function redisVersion(url: string): Promise<string> {
  const redis = new Redis(url);
  try {
    return `Redis ${/redis_version:(\S+)/.exec(await redis.info('server'))?.[1] ?? 'of unknown version'}`;
  } finally {
    redis.disconnect();
  }
}
