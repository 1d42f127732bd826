/**
 * One operator's move of one task: the row is locked, the move checked and made, its event and its audit entry written, all in one
 * transaction, so that nothing is changed without a trace and no trace tells of what did not happen. The doorbell rings after it.
 */
import { recordAudit } from '@app/audit';
import { type Database, idBytes, type RowIds, sql, type Sql, type Transaction } from '@app/database';
import { InvalidState, NotFound, QuotaExceeded } from '@app/errors';
import { failpoint } from '@app/lifecycle';
import { withoutAsked } from './asked.js';
import type { BulkAction } from './history-entities.js';
import { allows, lockTargets, moveAll, type Target } from './operate.sql.js';
import type { Place, TaskQuotas } from './quotas.js';
import type { TaskReader } from './read.js';
import type { Ringer } from './ring.js';
import type { TaskView } from './task.js';

export interface Operation {
  action: BulkAction;
  tenant: string;
  id: string;
  /** The `sub` claim. */
  actor: string;
  /** At most 500 characters; empty where nobody said. */
  reason: string;
}

/** What else the move changes about the locked task, decided in its transaction; null for nothing. */
export type Edit = (transaction: Transaction, task: Buffer) => Promise<{ statements: readonly Sql[]; payloadBytes: number } | null>;

const REFUSALS: Readonly<Record<BulkAction, (target: Target) => string>> = {
  retry: ({ state }) => `The task is ${state}; only a failed, cancelled or expired task can be retried.`,
  cancel: ({ state }) => `The task is already ${state}; only a task that is not finished can be cancelled.`,
  discard: ({ state, ended }) =>
    ended === 'discarded' ? 'The task is already discarded.' : `The task is ${state}; only a failed task can be discarded.`,
};

export class TaskOperator {
  constructor(
    private readonly database: Database,
    private readonly reader: TaskReader,
    private readonly ringer: Ringer,
    private readonly ids: RowIds,
    private readonly quotas: TaskQuotas,
  ) {}

  /**
   * Returns the task as it is now. A cancellation that was asked for before changes nothing. Throws NotFound, InvalidState where
   * the task does not allow it, or QuotaExceeded where the tenant has no room for one more that has not ended.
   */
  async operate({ action, tenant, id, actor, reason }: Operation, edit: Edit = () => Promise.resolve(null)): Promise<TaskView> {
    const bytes = idBytes(id);
    if (bytes === null) throw new NotFound('task');
    const { dialect } = this.database;
    const rung = await this.database.transaction(async (transaction) => {
      const [target] = await transaction.query<Target>(lockTargets(dialect, [sql`id = ${bytes}`, sql`tenant = ${tenant}`]));
      if (target === undefined) throw new NotFound('task');
      if (!allows(action, target)) throw new InvalidState(REFUSALS[action](target));
      failpoint('operate.locked');
      if ((await withoutAsked(transaction, action, [target])).length === 0) return [];
      const change = await edit(transaction, bytes);
      const edited = change === null ? {} : { payloadEdited: true };
      const moved = moveAll(dialect, this.ringer, this.quotas, action, [target], { actor, reason, ...edited });
      const taken = action === 'retry' ? await this.takePlace(transaction, { ...target, ...change }) : [];
      const entry = { tenant, actor, action: `task.${action}`, target: id, reason, detail: { from: target.state, ...edited } };
      await transaction.commitWith([
        ...moved.statements,
        ...(change?.statements ?? []),
        recordAudit(dialect, this.ids.next(), entry),
        ...taken,
      ]);
      return moved.rung;
    });
    failpoint('operate.committed');
    await this.ringer.ring(rung);
    return this.reader.get(tenant, id);
  }

  private async takePlace(transaction: Transaction, place: Place): Promise<Sql[]> {
    const { refusals, statements } = await this.quotas.fit(transaction, [place]);
    if (refusals[0] instanceof QuotaExceeded) throw refusals[0];
    return statements;
  }
}
