/**
 * Leaves out tasks whose worker has been asked to stop them already. Asking again would change nothing, and an event and an audit
 * entry for each time that somebody does would let an impatient caller fill both without end.
 */
import { list, sql, type Transaction } from '@app/database';
import type { BulkAction } from './history-entities.js';
import type { Target } from './operate.sql.js';

/** The targets must be locked: whoever asks at the same moment is then before or behind this. */
export async function withoutAsked(transaction: Transaction, action: BulkAction, targets: readonly Target[]): Promise<readonly Target[]> {
  const running = targets.filter(({ state }) => state === 'running');
  if (action !== 'cancel' || running.length === 0) return targets;
  const requests = await transaction.query<{ task_id: Buffer; worker_id: Buffer }>(
    sql`SELECT task_id, worker_id FROM cancel_requests WHERE task_id IN (${list(running.map(({ id }) => id))})`,
  );
  const askedOf = new Map(requests.map(({ task_id: id, worker_id: worker }) => [id.toString('hex'), worker]));
  return targets.filter(
    ({ id, state, worker_id: worker }) => state !== 'running' || askedOf.get(id.toString('hex'))?.equals(worker) !== true,
  );
}
