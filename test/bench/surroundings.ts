/** Where and with what the figures were measured: without this they mean nothing. */
import { readFileSync } from 'node:fs';
import { cpus, loadavg, platform, release, totalmem } from 'node:os';
import { endpoints } from '../support/servers/endpoints.js';
import { databaseServer, redisServer } from './servers.js';

const GIB = 1024 ** 3;

/** `settings`: all others, in words; `node`: the version that the contenders ran on. */
export async function surroundings(
  options: { rounds: number; concurrency: number; settings: string },
  loadBefore: number,
  node: string = process.versions.node,
): Promise<string> {
  const { database, redis } = endpoints();
  const servers = [database && (await databaseServer(database.url)), redis === null ? null : await redisServer(redis)];
  const versions = [`Node ${node}`, ...servers.flatMap((server) => server?.version ?? [])];
  const [first] = cpus();
  return [
    `Measured on ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC.`,
    `Machine: ${cpus().length} × ${first?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / GIB)} GiB, ${platform()} ${release()}, load average before the run ${loadBefore.toFixed(2)}.`,
    `Versions: Task Runner X ${ownVersion()}, ${versions.join(', ')}.`,
    `Rounds: ${options.rounds}, medians (min–max). WORKER_CONCURRENCY: ${options.concurrency}; ${options.settings}.`,
  ].join('\n');
}

export function loadAverage(): number {
  return loadavg()[0] ?? 0;
}

function ownVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
