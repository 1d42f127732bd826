/** Queues that a tenant has used before, without a task in them: as rows, because thousands are wanted. */
import { rows, sql } from '@app/database';
import type { Store } from './store.js';

const PAGE = 1_000;

export async function addQueues({ raw }: Pick<Store, 'raw'>, tenant: string, names: readonly string[]): Promise<void> {
  for (let from = 0; from < names.length; from += PAGE) {
    const table = names.slice(from, from + PAGE).map((name) => [tenant, name, 0, '', 1]);
    await raw.execute(sql`INSERT INTO queues (tenant, name, paused_at, paused_by, created_at) VALUES ${rows(table)}`);
  }
}
