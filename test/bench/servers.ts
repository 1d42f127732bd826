/** The database and Redis servers behind an installation: their processes, for the CPU they use, and their versions. */
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { programOf } from './processor-time.js';

export interface Server {
  readonly version: string;
  /** Null where the server runs elsewhere, for instance in a container. */
  readonly pid: number | null;
}

export async function databaseServer(url: string): Promise<Server> {
  const connection = await createConnection({ uri: url });
  try {
    const [rows] = await connection.query<(RowDataPacket & { version: string; file: string })[]>(
      'SELECT VERSION() AS version, @@pid_file AS file',
    );
    const { version, file } = rows[0]!;
    const name = version.includes('MariaDB') ? 'MariaDB' : 'MySQL';
    return { version: `${name} ${version.split('-')[0]}`, pid: localPid(numberIn(file), /^(mariadbd|mysqld)/) };
  } finally {
    await connection.end();
  }
}

export async function redisServer(url: string): Promise<Server> {
  const redis = new Redis(url);
  try {
    const info = await redis.info('server');
    const version = /redis_version:(\S+)/.exec(info)?.[1] ?? 'of unknown version';
    const pid = Number(/process_id:(\d+)/.exec(info)?.[1]);
    return { version: `Redis ${version}`, pid: localPid(pid, /^(redis|valkey)/) };
  } finally {
    redis.disconnect();
  }
}

function numberIn(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch {
    return Number.NaN;
  }
}

/** A server in a container names its number in there, which is another process here. */
function localPid(pid: number, name: RegExp): number | null {
  return Number.isInteger(pid) && name.test((programOf(pid) ?? '').split('/').at(-1)!) ? pid : null;
}
