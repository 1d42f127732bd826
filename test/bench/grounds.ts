/** The servers and packages that a run needs, provided like those of the tests; what cannot be had is named. */
import { backends } from '../support/backends.js';
import { endpoints } from '../support/servers/endpoints.js';
import { canStartLocalPostgres, startLocalPostgres } from '../support/servers/local-postgres.js';
import { canStartLocalRedis, startLocalRedis } from '../support/servers/local-redis.js';
import { canInstallPackages, installPackages } from '../support/servers/packages.js';
import { provideServers } from '../support/servers/provide.js';
import type { Grounds } from './contenders.js';
import { LoadGenerator } from './load-generator.js';
import type { Options } from './options.js';
import type { PeerServer } from './peer-site.js';
import { PEERS, tryInstallPeers } from './peers.js';
import { redisServer } from './servers.js';

/** Both databases get the same memory for pages and the same room for their logs. */
export const MARIADB = ['--innodb-buffer-pool-size=512M', '--innodb-log-file-size=2G'];
export const POSTGRES = ['shared_buffers=512MB', 'max_wal_size=2GB', 'fsync=on', 'synchronous_commit=on'];
/** What the documents of BullMQ and Bee-Queue ask for. */
const REDIS = ['appendonly yes', 'appendfsync everysec', 'maxmemory-policy noeviction'];

export interface Provided extends Grounds {
  release(): Promise<void>;
}

export async function provideGrounds(options: Options, profiles: string | null, say: (text: string) => void): Promise<Provided> {
  const isWanted = (name: string): boolean => options.only?.includes(name) ?? true;
  const wanted = PEERS.filter(({ name }) => isWanted(name));
  // With them comes the Node that everybody runs on.
  const installed = tryInstallPeers(say);
  const needs = (server: 'redis' | 'postgres'): boolean => wanted.some((peer) => peer.server === server);
  const servers = await provideServers(MARIADB);
  const [redis, postgres] = await Promise.all([
    needs('redis') ? startRedis(say) : 'nobody has asked for it',
    needs('postgres') ? startPostgres(say) : 'nobody has asked for it',
  ]);
  const all = backends();
  const load = new LoadGenerator();
  return {
    server: all.find(({ name }) => name !== 'sqlite') ?? null,
    embedded: all.find(({ name }) => name === 'sqlite')!,
    databaseUrl: endpoints().database?.url ?? null,
    load,
    concurrency: options.concurrency,
    profiles,
    installed,
    redis,
    postgres,
    async release() {
      load.close();
      await Promise.all([servers, redis, postgres].map(async (one) => (typeof one === 'string' ? undefined : one.release())));
    },
  };
}

interface Own extends PeerServer {
  release(): Promise<void>;
}

async function startRedis(say: (text: string) => void): Promise<Own | string> {
  if (!canStartLocalRedis()) return 'there is no program of Redis here';
  try {
    const server = await startLocalRedis(REDIS);
    return { url: server.url, pid: (await redisServer(server.url)).pid, release: () => server.remove() };
  } catch (error) {
    say(String(error));
    return 'Redis does not start';
  }
}

async function startPostgres(say: (text: string) => void): Promise<Own | string> {
  if (!canStartLocalPostgres() && canInstallPackages()) installPackages('No PostgreSQL found.', ['postgresql']);
  if (!canStartLocalPostgres()) return 'there is no PostgreSQL here';
  try {
    const server = await startLocalPostgres(POSTGRES);
    return { url: server.url, pid: server.pid, release: () => server.remove() };
  } catch (error) {
    say(String(error));
    return 'PostgreSQL does not start';
  }
}
