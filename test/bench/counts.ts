/** What the servers have counted: transactions that changed something, syncs, statements, commands. */
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { Redis } from 'ioredis';
import { askPostgres } from '../support/servers/local-postgres.js';
import type { Counts } from './site.js';

export const NOTHING_COUNTED: Counts = { commits: null, fsyncs: null, statements: null, commands: null };

type Named = RowDataPacket & { name: string; value: string };

/**
 * InnoDB counts transactions with changes once it is told to; every handed-in COMMIT or autocommitted read would count as
 * `Handler_commit` too. Its syncs of data files include those of the log. Statements of one packet count one by one.
 */
export async function countMySql(url: string): Promise<Partial<Counts>> {
  const connection = await createConnection({ uri: url });
  try {
    await connection.query(`SET GLOBAL innodb_monitor_enable = 'trx_rw_commits'`);
    const [metrics] = await connection.query<Named[]>(
      `SELECT NAME AS name, COUNT AS value FROM information_schema.INNODB_METRICS WHERE NAME = 'trx_rw_commits'`,
    );
    const [status] = await connection.query<(RowDataPacket & { Variable_name: string; Value: string })[]>(
      `SHOW GLOBAL STATUS WHERE Variable_name IN ('Innodb_data_fsyncs', 'Questions')`,
    );
    const of = (name: string): number | null => {
      const value = status.find((row) => row.Variable_name === name)?.Value;
      return value === undefined ? null : Number(value);
    };
    return { commits: Number(metrics[0]?.value ?? Number.NaN), fsyncs: of('Innodb_data_fsyncs'), statements: of('Questions') };
  } finally {
    await connection.end();
  }
}

/**
 * The next transaction number counts every transaction that has changed something, at once. What a session has committed, sent or
 * synced becomes visible in the statistics of PostgreSQL only seconds later, too late for a measurement of a second.
 */
export function countPostgres(url: string): Partial<Counts> {
  return { commits: Number(askPostgres(url, 'SELECT pg_snapshot_xmax(pg_current_snapshot())')) };
}

export async function countRedis(url: string): Promise<Partial<Counts>> {
  const redis = new Redis(url);
  try {
    return { commands: Number(/total_commands_processed:(\d+)/.exec(await redis.info('stats'))?.[1] ?? Number.NaN) };
  } finally {
    redis.disconnect();
  }
}

/** Per task; null where one of the two is. */
export function countsPerTask(before: Counts, after: Counts, tasks: number): Counts {
  const per = (name: keyof Counts): number | null => {
    const [earlier, later] = [before[name], after[name]];
    return earlier === null || later === null ? null : (later - earlier) / tasks;
  };
  return { commits: per('commits'), fsyncs: per('fsyncs'), statements: per('statements'), commands: per('commands') };
}
