/**
 * Provides the servers of one test run. Each of the two, database and Redis, comes from the first of these that works: the address
 * in TEST_DATABASE_URL or TEST_REDIS_URL, the program on this machine, a Docker engine, and as root on Debian or Ubuntu the
 * distribution's packages. Where none is possible the suites run on SQLite alone and one line says so; with CI=true that is a
 * failure, because a gate that skips is no gate. TEST_BACKENDS=sqlite asks for no servers at all.
 */
import { randomBytes } from 'node:crypto';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { removeDirectory, temporaryDirectory } from '../reaper.js';
import { until } from '../until.js';
import { publishEndpoints, type DatabaseName } from './endpoints.js';
import { canInstallPackages, installPackages } from './packages.js';
import { canStartMariaDb, canStartRedis, startMariaDb, startRedis } from './private.js';
import { sweepDatabase, sweepRedis } from './sweep.js';

export interface ProvidedServers {
  /** Removes what the run has made: whole servers of our own, or only our databases and keys on given ones. */
  release(): Promise<void>;
}

interface Provided {
  readonly url: string;
  remove(run: string): Promise<void>;
}

/** `databaseOptions` are for a database server that is started here; one that is given stays as it is. */
export async function provideServers(databaseOptions: readonly string[] = []): Promise<ProvidedServers> {
  const run = randomBytes(4).toString('hex');
  const pair = process.env['TEST_BACKENDS'] === 'sqlite' ? null : await findPair(databaseOptions);
  const directory = temporaryDirectory('sqlite');
  publishEndpoints({
    run,
    directory,
    database: pair === null ? null : { name: await nameOf(pair.database.url), url: pair.database.url },
    redis: pair?.redis.url ?? null,
  });
  return {
    async release() {
      await Promise.all([pair?.database.remove(run), pair?.redis.remove(run)]);
      removeDirectory(directory);
    },
  };
}

async function findPair(databaseOptions: readonly string[]): Promise<{ database: Provided; redis: Provided } | null> {
  const databaseUrl = given('TEST_DATABASE_URL');
  const redisUrl = given('TEST_REDIS_URL');
  const isPossible = (): boolean => (databaseUrl !== null || canStartMariaDb()) && (redisUrl !== null || canStartRedis());
  if (!isPossible() && canInstallPackages()) installPackages();
  if (!isPossible()) {
    const skipped = 'No MariaDB or MySQL with Redis can be had here (see TEST_DATABASE_URL, TEST_REDIS_URL): only SQLite is tested.';
    if (process.env['CI'] === 'true') throw new Error(skipped);
    process.stderr.write(`SKIPPED: ${skipped}\n`);
    return null;
  }
  const [database, redis] = await Promise.all([
    databaseUrl === null ? startMariaDb(databaseOptions) : givenDatabase(databaseUrl),
    redisUrl === null ? startRedis() : givenRedis(redisUrl),
  ]);
  return { database, redis };
}

function given(variable: 'TEST_DATABASE_URL' | 'TEST_REDIS_URL'): string | null {
  const url = process.env[variable] ?? '';
  return url === '' ? null : url;
}

/** The database that the address names is left alone; the run makes its own beside it. */
function givenDatabase(given: string): Provided {
  const address = new URL(given);
  address.pathname = '';
  const url = address.href;
  return { url, remove: (run) => sweepDatabase(url, run) };
}

function givenRedis(url: string): Provided {
  return { url, remove: (run) => sweepRedis(url, run) };
}

/** A given server may still be starting, as service containers of a build do. */
async function nameOf(url: string): Promise<DatabaseName> {
  const connection = await until(() => createConnection({ uri: url, connectTimeout: 5_000 }), {
    deadlineMs: 60_000,
    everyMs: 500,
    what: 'the database server to accept connections',
  });
  try {
    const [rows] = await connection.query<(RowDataPacket & { version: string })[]>('SELECT VERSION() AS version');
    return rows[0]?.version.includes('MariaDB') === true ? 'mariadb' : 'mysql';
  } finally {
    connection.destroy();
  }
}
