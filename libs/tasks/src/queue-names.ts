/**
 * The names of all queues, whoever uses them, page by page in the order of the names. A name beyond the bound is not seen: its
 * tasks are then found by nobody who looks for queues, so the bound is far above what an installation needs.
 */
import { sql, type Database } from '@app/database';

/** How many names are told of at most. */
export const QUEUE_NAMES_MAX = 10_000;
const PAGE = 1_000;

/** In order, each once, the first QUEUE_NAMES_MAX behind a given one. */
export async function* queueNames(database: Database, behind = ''): AsyncGenerator<string> {
  let after = behind;
  for (let told = 0; told < QUEUE_NAMES_MAX; told += PAGE) {
    const page = await database.query<{ name: string }>(
      sql`SELECT DISTINCT name FROM queues WHERE name > ${after} ORDER BY name LIMIT ${PAGE}`,
    );
    for (const { name } of page) yield name;
    if (page.length < PAGE) return;
    after = page.at(-1)?.name ?? after;
  }
}
