/**
 * A MariaDB or MySQL server of our own from the programs on this machine. It commits durably (that is what the tests are
 * about), listens on 127.0.0.1 only and has one user with a random password, made by a start-up script, so that no other user
 * of the machine gets in and a foreign server on the same port is never mistaken for ours.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { removeDirectory, temporaryDirectory } from '../reaper.js';
import { freePort } from './ports.js';
import { findProgram, outputOf } from './programs.js';
import { ServerProcess } from './server-process.js';
import type { SmallDisk } from './small-disk.js';

const USER = 'tester';

interface Installation {
  readonly server: string;
  /** Creates the system tables in the folder. */
  initialise(data: string): void;
  readonly options: readonly string[];
}

export function canStartLocalDatabase(): boolean {
  return findInstallation() !== null;
}

export function canStartLocalMariaDb(): boolean {
  return findProgram('mariadbd') !== null && findInstallation() !== null;
}

/**
 * Throws with the last lines of the server's log where it does not come up within a minute. With `disk`, its data lies there;
 * `options` are added to those of its command line, `environment` is `NAME=value`.
 */
export async function startLocalDatabase(
  disk?: SmallDisk,
  options: readonly string[] = [],
  environment: readonly string[] = [],
): Promise<ServerProcess> {
  const found = findInstallation();
  const installation = found === null ? null : { ...found, options: [...found.options, ...options] };
  if (installation === null) throw new Error('neither mariadbd nor mysqld is installed on this machine');
  const directory = temporaryDirectory('mysql');
  try {
    const data = join(directory, 'data');
    installation.initialise(data);
    const launcher = environment.length === 0 ? [] : ['env', ...environment];
    if (disk === undefined) return await start(installation, directory, data, launcher);
    const [program = '', ...words] = disk.launcher;
    const onDisk = join(disk.path, 'data');
    execFileSync(program, [...words, 'cp', '-a', data, onDisk]);
    const small = ['--user=root', `--tmpdir=${onDisk}`, '--innodb-log-file-size=8M', '--innodb-buffer-pool-size=32M', ...options];
    return await start({ ...installation, options: small }, directory, onDisk, disk.launcher);
  } catch (error) {
    removeDirectory(directory);
    throw error;
  }
}

async function start(
  installation: Installation,
  directory: string,
  data: string,
  launcher: readonly string[] = [],
): Promise<ServerProcess> {
  const port = await freePort();
  const password = randomBytes(16).toString('hex');
  const firstStatements = join(directory, 'start.sql');
  writeFileSync(
    firstStatements,
    `CREATE USER IF NOT EXISTS '${USER}'@'%' IDENTIFIED BY '${password}';\n` +
      `GRANT ALL PRIVILEGES ON *.* TO '${USER}'@'%' WITH GRANT OPTION;\n` +
      `ALTER USER IF EXISTS 'root'@'localhost' ACCOUNT LOCK;\n`,
    { mode: 0o600 },
  );
  const url = `mysql://${USER}:${password}@127.0.0.1:${port}`;
  const words = [...launcher, installation.server];
  return ServerProcess.start({
    program: words[0] ?? installation.server,
    arguments: [
      ...words.slice(1),
      '--no-defaults',
      ...asUser(),
      `--datadir=${data}`,
      `--tmpdir=${directory}`,
      `--socket=${join(directory, 'server.sock')}`,
      `--pid-file=${join(directory, 'server.pid')}`,
      '--bind-address=127.0.0.1',
      `--port=${port}`,
      '--skip-name-resolve',
      `--init-file=${firstStatements}`,
      '--innodb-flush-log-at-trx-commit=1',
      '--innodb-buffer-pool-size=128M',
      '--character-set-server=utf8mb4',
      '--max-connections=400',
      '--skip-log-bin',
      ...installation.options,
    ],
    directory,
    logFile: join(directory, 'server.log'),
    port,
    url,
    isOurs: async () => (await dataDirectoryOf(url)).replace(/\/$/, '') === data,
  });
}

async function dataDirectoryOf(url: string): Promise<string> {
  const connection = await createConnection({ uri: url, connectTimeout: 2_000 });
  try {
    const [rows] = await connection.query<(RowDataPacket & { dir: string })[]>('SELECT @@datadir AS dir');
    return rows[0]?.dir ?? '';
  } finally {
    connection.destroy();
  }
}

function findInstallation(): Installation | null {
  const server = findProgram('mariadbd', 'mysqld');
  if (server === null) return null;
  return outputOf(server, '--no-defaults', '--version')?.includes('MariaDB') === true ? mariaDb(server) : mySql(server);
}

function mariaDb(server: string): Installation | null {
  const installer = findProgram('mariadb-install-db', 'mysql_install_db');
  if (installer === null) return null;
  const fixed = ['--no-defaults', '--auth-root-authentication-method=normal', '--skip-test-db', '--innodb-log-file-size=8M'];
  return {
    server,
    initialise(data) {
      mkdirSync(data, { mode: 0o700 });
      // A starting server clears the temporary folder of what looks like its own tables, and would take those of another one's start.
      const env = { ...process.env, TMPDIR: dirname(data) };
      execFileSync(installer, [...fixed, ...asUser(), `--datadir=${data}`], { stdio: ['ignore', 'ignore', 'pipe'], env });
    },
    options: ['--innodb-log-file-size=96M'],
  };
}

function mySql(server: string): Installation {
  return {
    server,
    initialise(data) {
      execFileSync(server, ['--no-defaults', ...asUser(), '--initialize-insecure', `--datadir=${data}`], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
    },
    options: ['--mysqlx=OFF', '--secure-file-priv=NULL'],
  };
}

/** Both servers refuse to run as root unless they are told to. */
function asUser(): readonly string[] {
  return process.getuid?.() === 0 ? ['--user=root'] : [];
}
