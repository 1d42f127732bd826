/**
 * A PostgreSQL server of our own from the programs on this machine, for the contenders of the bench that keep their jobs in one. It
 * commits durably, listens on 127.0.0.1 only, and its one user has a random password. It refuses to run as root, so that root starts
 * it as the user whom the distribution's package has made, or as nobody.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeDirectory, temporaryDirectory } from '../reaper.js';
import { freePort } from './ports.js';
import { findProgram, outputOf } from './programs.js';
import { ServerProcess } from './server-process.js';

const USER = 'bench';
/** Where Debian keeps the programs, one folder per version. */
const DEBIAN = '/usr/lib/postgresql';

export function canStartLocalPostgres(): boolean {
  return programs() !== null;
}

/** Throws with the last lines of the server's log where it does not come up. `options` are `name=value`, as on its command line. */
export async function startLocalPostgres(options: readonly string[] = [], environment: readonly string[] = []): Promise<ServerProcess> {
  const found = programs();
  if (found === null) throw new Error('PostgreSQL is not installed on this machine');
  const directory = temporaryDirectory('postgres');
  try {
    const [data, secret] = [join(directory, 'data'), join(directory, 'password')];
    const password = randomBytes(16).toString('hex');
    mkdirSync(data, { mode: 0o700 });
    writeFileSync(secret, password, { mode: 0o600 });
    const owner = ownerOfServers();
    if (owner !== null) for (const path of [directory, data, secret]) chownSync(path, owner.user, owner.group);
    const words = ['-D', data, '-U', USER, '--auth=scram-sha-256', `--pwfile=${secret}`, '--encoding=UTF8', '--no-locale'];
    const [first, ...rest] = commandOf(owner, [], found.initdb);
    execFileSync(first, [...rest, ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
    const port = await freePort();
    const url = `postgres://${USER}:${password}@127.0.0.1:${port}/postgres`;
    const fixed = [`port=${port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${directory}`, 'max_connections=100'];
    const all = [...fixed, ...options].flatMap((option) => ['-c', option]);
    const [program, ...before] = commandOf(owner, environment, found.server);
    return await ServerProcess.start({
      program,
      arguments: [...before, '-D', data, ...all],
      directory,
      logFile: join(directory, 'server.log'),
      port,
      url,
      isOurs: () => Promise.resolve(askPostgres(url, 'SHOW data_directory') === data),
    });
  } catch (error) {
    removeDirectory(directory);
    throw error;
  }
}

/** One statement through the server's own client; its columns are separated by `|`, its rows by line ends. */
export function askPostgres(url: string, statement: string): string {
  const client = findProgram('psql');
  if (client === null) throw new Error('psql is not installed on this machine');
  return execFileSync(client, ['--no-psqlrc', '-XAtqc', statement, url], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}

function programs(): { server: string; initdb: string } | null {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = versions.map((version) => join(DEBIAN, version, 'bin'));
  const server = folders.map((folder) => join(folder, 'postgres')).find(existsSync) ?? findProgram('postgres');
  const initdb = folders.map((folder) => join(folder, 'initdb')).find(existsSync) ?? findProgram('initdb');
  return server === null || initdb === null || findProgram('psql') === null ? null : { server, initdb };
}

interface Owner {
  readonly user: number;
  readonly group: number;
}

function ownerOfServers(): Owner | null {
  if (process.getuid?.() !== 0) return null;
  const name = outputOf('id', '-u', 'postgres') === null ? 'nobody' : 'postgres';
  return { user: Number(outputOf('id', '-u', name)), group: Number(outputOf('id', '-g', name)) };
}

/** The words that run the program as its owner; `environment` is `NAME=value`. */
function commandOf(owner: Owner | null, environment: readonly string[], program: string): [string, ...string[]] {
  const asUser = owner === null ? [] : [`--reuid=${owner.user}`, `--regid=${owner.group}`, '--clear-groups', 'env'];
  return owner === null ? ['env', ...environment, program] : ['setpriv', ...asUser, ...environment, program];
}
