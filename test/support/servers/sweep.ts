/** Removes one run's databases and keys from servers that are not ours, where nothing else may be touched. */
import { Redis } from 'ioredis';
import { createConnection, type RowDataPacket } from 'mysql2/promise';

/** The start of every database name and key prefix of a run. */
export function marker(run: string): string {
  return `trx-test-${run}-`;
}

export async function sweepDatabase(url: string, run: string): Promise<void> {
  const connection = await createConnection({ uri: url });
  try {
    const [rows] = await connection.query<(RowDataPacket & { name: string })[]>(
      'SELECT schema_name AS name FROM information_schema.schemata WHERE LEFT(schema_name, ?) = ?',
      [marker(run).length, marker(run)],
    );
    for (const { name } of rows) await connection.query('DROP DATABASE IF EXISTS ??', [name]);
  } finally {
    await connection.end();
  }
}

export async function sweepRedis(url: string, run: string): Promise<void> {
  const redis = new Redis(url);
  try {
    for await (const keys of redis.scanStream({ match: `${marker(run)}*`, count: 1_000 }) as AsyncIterable<string[]>) {
      if (keys.length > 0) await redis.unlink(...keys);
    }
  } finally {
    redis.disconnect();
  }
}
