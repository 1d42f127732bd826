/** A Redis server of our own from the program on this machine: without persistence, with a random password, on 127.0.0.1 only. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { removeDirectory, temporaryDirectory } from '../reaper.js';
import { freePort } from './ports.js';
import { findProgram } from './programs.js';
import type { PrivateServer } from './server.js';
import { ServerProcess } from './server-process.js';

const PROGRAMS = ['redis-server', 'valkey-server'] as const;

export function canStartLocalRedis(): boolean {
  return findProgram(...PROGRAMS) !== null;
}

/** Throws with the last lines of the server's log where it does not come up. `more` are lines for its settings. */
export async function startLocalRedis(more: readonly string[] = []): Promise<PrivateServer> {
  const program = findProgram(...PROGRAMS);
  if (program === null) throw new Error('redis-server is not installed on this machine');
  const directory = temporaryDirectory('redis');
  try {
    const port = await freePort();
    const password = randomBytes(16).toString('hex');
    const url = `redis://:${password}@127.0.0.1:${port}`;
    // The password stands in a file, because the arguments of a process are for everybody to read.
    const settings = join(directory, 'redis.conf');
    const lines = ['bind 127.0.0.1', `port ${port}`, `requirepass ${password}`, 'save ""', 'appendonly no', `dir ${directory}`, ...more];
    writeFileSync(settings, `${lines.join('\n')}\n`, { mode: 0o600 });
    return await ServerProcess.start({
      program,
      arguments: [settings],
      directory,
      logFile: join(directory, 'server.log'),
      port,
      url,
      isOurs: async () => (await folderOf(url)) === directory,
    });
  } catch (error) {
    removeDirectory(directory);
    throw error;
  }
}

async function folderOf(url: string): Promise<string | undefined> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 2_000, maxRetriesPerRequest: 0 });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    const [, folder] = (await redis.config('GET', 'dir')) as string[];
    return folder;
  } finally {
    redis.disconnect();
  }
}
