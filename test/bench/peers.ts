/**
 * The peers: packages of their own (`peers/package.json`), installed when they are first wanted and no part of this project's
 * packages. Who cannot be installed, or lacks the Node or the server that it needs, is named with the reason and has no figures.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { outputOf } from '../support/servers/programs.js';

const FOLDER = fileURLToPath(new URL('./peers', import.meta.url));
const INSTALLED = join(FOLDER, 'node_modules');
/** Says of which lock file the installed packages are. */
const STAMP = join(INSTALLED, '.installed-for');
const INSTALL_MS = 300_000;
/** What pg-boss 12 and graphile-worker 0.18 ask for. */
const NEWER_NODE = [22, 18] as const;

export interface Peer {
  readonly name: 'bullmq' | 'bee-queue' | 'pg-boss' | 'graphile-worker';
  readonly title: string;
  /** URL of the module that knows it. */
  readonly adapter: string;
  readonly server: 'redis' | 'postgres';
  readonly needsNewerNode: boolean;
  readonly settings: string;
  readonly keeps: string;
}

export const PEERS: readonly Peer[] = [
  {
    name: 'bullmq',
    title: 'BullMQ',
    adapter: new URL('./peers/bullmq.mjs', import.meta.url).href,
    server: 'redis',
    needsNewerNode: false,
    settings: 'concurrency 50, for a backlog and for single submissions 500; `removeOnComplete`; `addBulk` for batches',
    keeps:
      'Nothing of a finished job. Jobs are in the memory of Redis; with its log synced every second, a crash of the machine loses up to a second of accepted jobs.',
  },
  {
    name: 'bee-queue',
    title: 'Bee-Queue',
    adapter: new URL('./peers/bee-queue.mjs', import.meta.url).href,
    server: 'redis',
    needsNewerNode: false,
    settings: 'concurrency 500; `removeOnSuccess`, no events; `saveAll` for batches',
    keeps: 'As BullMQ. It has no priorities, and no retries after a pause unless told to.',
  },
  {
    name: 'pg-boss',
    title: 'pg-boss',
    adapter: new URL('./peers/pg-boss.mjs', import.meta.url).href,
    server: 'postgres',
    needsNewerNode: true,
    settings: 'batches of 2,000 that follow each other while they are full; at 100 per second LISTEN/NOTIFY; `insert` for batches',
    keeps: 'The finished job, for days, in one row. A crash loses nothing accepted; what ran is run again when its time is over.',
  },
  {
    name: 'graphile-worker',
    title: 'graphile-worker',
    adapter: new URL('./peers/graphile-worker.mjs', import.meta.url).href,
    server: 'postgres',
    needsNewerNode: true,
    settings: 'concurrency 500, local queue of 1,000, completions gathered; `addJobs` for batches',
    keeps: 'Nothing of a finished job. A crash loses nothing accepted; what a dead worker held is run again after four hours.',
  },
];

export interface NodeProgram {
  readonly path: string;
  readonly version: string;
}

export const THIS_NODE: NodeProgram = { path: process.execPath, version: process.versions.node };

export interface Installed {
  /** Peer → its version. */
  readonly versions: Readonly<Record<string, string>>;
  /** The newest Node there is, which may be this one. */
  readonly node: NodeProgram;
}

/** The newest that there is, and the same for everybody. `installed` may be the reason why there are no packages. */
export const nodeOf = (installed: Installed | string): NodeProgram => (typeof installed === 'string' ? THIS_NODE : installed.node);

/** The packages, or why they cannot be installed. */
export function tryInstallPeers(say: (text: string) => void): Installed | string {
  try {
    return installPeers(say);
  } catch (error) {
    return (error as Error).message.split('\n', 1)[0] ?? '';
  }
}

/** @throws Error that says why the packages cannot be installed. */
export function installPeers(say: (text: string) => void): Installed {
  const lock = readFileSync(join(FOLDER, 'package-lock.json'), 'utf8');
  if (!existsSync(STAMP) || readFileSync(STAMP, 'utf8') !== lock) {
    say('Installing the peers (npm ci in test/bench/peers) …');
    const words = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--no-progress', '--loglevel=error'];
    execFileSync('npm', words, { cwd: FOLDER, stdio: ['ignore', 'ignore', 'pipe'], timeout: INSTALL_MS });
    writeFileSync(STAMP, lock);
  }
  return { versions: Object.fromEntries(PEERS.map(({ name }) => [name, versionOf(name)])), node: newestNode() };
}

function versionOf(name: string): string {
  const text = readFileSync(join(INSTALLED, name, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function newestNode(): NodeProgram {
  const path = join(INSTALLED, `node-${process.platform}-${process.arch}`, 'bin', 'node');
  const version = isFile(path) ? outputOf(path, '--version')?.replace(/^v/, '') : undefined;
  return version !== undefined && Number.parseInt(version) > Number.parseInt(THIS_NODE.version) ? { path, version } : THIS_NODE;
}

/** Whether the peers that need it can use this version of Node. */
export function isNewer(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > NEWER_NODE[0] || (major === NEWER_NODE[0] && minor >= NEWER_NODE[1]);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
