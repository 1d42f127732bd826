/**
 * Fills the tables with copies of a task that the program itself has made, by multi-row inserts straight into the database: a million
 * rows in seconds, each of which the program could have made. The ids are new and in the order of time.
 */
import { randomBytes } from 'node:crypto';
import type { Connection, RowDataPacket } from 'mysql2/promise';

const ROWS_PER_STATEMENT = 2_000;
const TABLES = { tasks: 'id', attempts: 'task_id' } as const;

/** UUIDv7: 48 bits of time in ms, then chance. */
export function rowId(atMs: number, random: (size: number) => Buffer = randomBytes): Buffer {
  const id = Buffer.concat([Buffer.alloc(6), random(10)]);
  id.writeUIntBE(atMs, 0, 6);
  id[6] = 0x70 | (id[6]! & 0x0f);
  id[8] = 0x80 | (id[8]! & 0x3f);
  return id;
}

/** Adds copies of the task, with its attempts, to its database. `beforeMs` is the time of the newest. */
export async function addCopies(connection: Connection, template: Buffer, count: number, beforeMs: number): Promise<void> {
  const copying = await Promise.all(Object.entries(TABLES).map(([table, key]) => copyStatement(connection, table, key)));
  for (let done = 0; done < count; done += ROWS_PER_STATEMENT) {
    const size = Math.min(ROWS_PER_STATEMENT, count - done);
    const ids = Array.from({ length: size }, (_, index) => rowId(beforeMs - Math.ceil((count - done - index) / 10)));
    const values = ids.map((id) => `SELECT X'${id.toString('hex')}' AS id`).join(' UNION ALL ');
    await connection.query('START TRANSACTION');
    for (const copy of copying) await connection.query(copy.replace('/*ids*/', values), [template]);
    await connection.query('COMMIT');
  }
}

async function copyStatement(connection: Connection, table: string, key: string): Promise<string> {
  const [rows] = await connection.query<(RowDataPacket & { name: string })[]>(
    'SELECT column_name AS name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ? AND column_name <> ?',
    [table, key],
  );
  const columns = rows.map(({ name }) => `\`${name}\``).join(', ');
  const copied = rows.map(({ name }) => `t.\`${name}\``).join(', ');
  return `INSERT INTO ${table} (${key}, ${columns}) SELECT v.id, ${copied} FROM (/*ids*/) v CROSS JOIN ${table} t WHERE t.${key} = ?`;
}
