/** The database's clock, for what is compared with the times it has stored. */
import { sql, type Database } from '@app/database';

/** In ms since the epoch. */
export async function databaseNow(database: Database): Promise<number> {
  const [row] = await database.query<{ now: number }>(sql`SELECT ${database.dialect.now} AS now`);
  return Number(row?.now);
}
