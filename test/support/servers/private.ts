/**
 * Servers of one test's own, for tests that kill, freeze or empty them: from the program on this machine, or as a container
 * where there is no program or it refuses (a security profile may forbid it to keep data in a temporary folder). A test asks
 * `canStartPrivateServers()` first, because a run may have no more than the addresses of servers that others use too.
 */
import { canMakeCertificates, type Identity } from './certificates.js';
import { canUseDocker, startDatabaseContainer, startRedisContainer } from './docker.js';
import { canStartLocalDatabase, canStartLocalMariaDb, startLocalDatabase } from './local-database.js';
import { canStartLocalRedis, startLocalRedis } from './local-redis.js';
import { freePort } from './ports.js';
import type { PrivateServer } from './server.js';
import type { ServerProcess } from './server-process.js';
import { canMakeSmallDisks, type SmallDisk } from './small-disk.js';

export function canStartPrivateServers(): boolean {
  return canStartMariaDb() && canStartRedis();
}

export function canStartMariaDb(): boolean {
  return canStartLocalDatabase() || canUseDocker();
}

export function canStartRedis(): boolean {
  return canStartLocalRedis() || canUseDocker();
}

/**
 * A database server (MariaDB, or MySQL where only that is installed). Its `url` names no database: see `newDatabase`. `options` are added
 * to those of its command line.
 */
export function startMariaDb(options: readonly string[] = []): Promise<PrivateServer> {
  return firstThatStarts(
    canStartLocalDatabase(),
    () => startLocalDatabase(undefined, options),
    () => startDatabaseContainer(options),
  );
}

/** Whether a MariaDB can be put on a disk that a test fills. */
export function canFillDisks(): boolean {
  return canStartLocalMariaDb() && canMakeSmallDisks();
}

/** A MariaDB whose data lies on the disk. */
export function startMariaDbOn(disk: SmallDisk): Promise<ServerProcess> {
  return startLocalDatabase(disk);
}

export function startRedis(): Promise<PrivateServer> {
  return firstThatStarts(canStartLocalRedis(), () => startLocalRedis(), startRedisContainer);
}

/** Whether the two can be started here with settings of the test's own, and with certificates. */
export function canStartServersWithTls(): boolean {
  return canStartLocalDatabase() && canStartLocalRedis() && canMakeCertificates();
}

/** A database server that also speaks TLS, as whoever this is. */
export function startDatabaseWithTls({ certificate, key }: Identity): Promise<PrivateServer> {
  return startLocalDatabase(undefined, [`--ssl-cert=${certificate}`, `--ssl-key=${key}`]);
}

/** A Redis that also speaks TLS, on a port of its own. */
export async function startRedisWithTls({ certificate, key }: Identity): Promise<PrivateServer & { tlsPort: number }> {
  const tlsPort = await freePort();
  const settings = [`tls-port ${tlsPort}`, `tls-cert-file ${certificate}`, `tls-key-file ${key}`, 'tls-auth-clients no'];
  return Object.assign(await startLocalRedis([...settings, `tls-ca-cert-file ${certificate}`]), { tlsPort });
}

async function firstThatStarts(
  canStartLocally: boolean,
  locally: () => Promise<PrivateServer>,
  asContainer: () => Promise<PrivateServer>,
): Promise<PrivateServer> {
  if (!canStartLocally) return asContainer();
  try {
    return await locally();
  } catch (error) {
    if (!canUseDocker()) throw error;
    process.stderr.write(`The local server does not start, using a container: ${(error as Error).message}\n`);
    return asContainer();
  }
}
