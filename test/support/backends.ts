/**
 * The backends a suite runs on. Write `describe.each(backends())('… on $name', (backend) => …)`: SQLite with the in-process queue
 * is always among them, and a MySQL-family server with Redis wherever the run has one.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { createConnection } from 'mysql2/promise';
import { endpoints, type DatabaseName } from './servers/endpoints.js';
import { marker } from './servers/sweep.js';

export interface RedisPlace {
  readonly url: string;
  /** For REDIS_KEY_PREFIX; nobody else in this run has it. */
  readonly prefix: string;
}

export interface Backend {
  readonly name: 'sqlite' | DatabaseName;
  /** A fresh, empty database (or the path of a file that does not exist yet) at every call; gone with the run. */
  databaseUrl(): Promise<string>;
  /** A fresh corner of the run's Redis at every call; null on SQLite, whose queue is in the process. */
  redisUrl(): RedisPlace | null;
  /** Both of the above as environment variables for one installation of the program. */
  environment(): Promise<Record<string, string>>;
}

/** All backends of this run. TEST_BACKENDS, a comma-separated list of names, narrows them. */
export function backends(): Backend[] {
  const { database, redis } = endpoints();
  const all: Backend[] = [sqlite];
  if (database !== null && redis !== null) all.push(server(database.name, database.url, redis));
  const wanted = process.env['TEST_BACKENDS']?.split(',').map((name) => name.trim());
  const chosen = wanted === undefined ? all : all.filter((backend) => wanted.includes(backend.name));
  if (chosen.length === 0)
    throw new Error(`TEST_BACKENDS names none of the backends of this run: ${all.map(({ name }) => name).join(', ')}.`);
  return chosen;
}

const sqlite: Backend = {
  name: 'sqlite',
  databaseUrl() {
    const folder = join(endpoints().directory, randomBytes(6).toString('hex'));
    mkdirSync(folder);
    return Promise.resolve(`sqlite:${join(folder, 'taskrunnerx.db')}`);
  },
  redisUrl: () => null,
  environment: async () => ({ DATABASE_URL: await sqlite.databaseUrl() }),
};

function server(name: DatabaseName, url: string, redis: string): Backend {
  const backend: Backend = {
    name,
    databaseUrl: () => newDatabase(url),
    redisUrl: () => ({ url: redis, prefix: `${marker(endpoints().run)}${randomBytes(4).toString('hex')}` }),
    async environment() {
      const place = backend.redisUrl();
      return { DATABASE_URL: await backend.databaseUrl(), ...(place && { REDIS_URL: place.url, REDIS_KEY_PREFIX: place.prefix }) };
    },
  };
  return backend;
}

/** Creates an empty database with a name of its own on the server and returns its address. */
export async function newDatabase(serverUrl: string): Promise<string> {
  const name = `${marker(endpoints().run)}${randomBytes(6).toString('hex')}`;
  const connection = await createConnection({ uri: serverUrl });
  try {
    await connection.query('CREATE DATABASE ?? CHARACTER SET utf8mb4', [name]);
  } finally {
    await connection.end();
  }
  const address = new URL(serverUrl);
  address.pathname = `/${name}`;
  return address.href;
}
