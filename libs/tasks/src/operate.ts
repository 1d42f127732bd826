/**
 * One operator's move of one task: the row is locked, the move checked and made, its event and its audit entry written, all in one
 * transaction, so that nothing is changed without a trace and no trace tells of what did not happen. The doorbell rings after it.
 */
import { recordAudit } from '@app/audit';
import { type Database, idBytes, type RowIds, sql, type Sql, type Transaction } from '@app/database';
import { InvalidState, NotFound } from '@app/errors';
import { failpoint } from '@app/lifecycle';
import { withoutAsked } from './asked.js';
import type { BulkAction } from './history-entities.js';
import { allows, lockTargets, moveAll, type Target } from './operate.sql.js';
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

/** What else the move changes about the locked task, decided in its transaction; nothing where it is empty. */
export type Edit = (transaction: Transaction, task: Buffer) => Promise<readonly Sql[]>;

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
  ) {}

  /**
   * Returns the task as it is now. A cancellation that was asked for before changes nothing. Throws NotFound, or InvalidState where
   * the task does not allow it.
   */
  async operate({ action, tenant, id, actor, reason }: Operation, edit: Edit = () => Promise.resolve([])): Promise<TaskView> {
    const bytes = idBytes(id);
    if (bytes === null) throw new NotFound('task');
    const { dialect } = this.database;
    const rung = await this.database.transaction(async (transaction) => {
      const [target] = await transaction.query<Target>(lockTargets(dialect, [sql`id = ${bytes}`, sql`tenant = ${tenant}`]));
      if (target === undefined) throw new NotFound('task');
      if (!allows(action, target)) throw new InvalidState(REFUSALS[action](target));
      failpoint('operate.locked');
      if ((await withoutAsked(transaction, action, [target])).length === 0) return [];
      const edits = await edit(transaction, bytes);
      const edited = edits.length > 0 ? { payloadEdited: true } : {};
      const moved = moveAll(dialect, this.ringer, action, [target], { actor, reason, ...edited });
      const entry = { tenant, actor, action: `task.${action}`, target: id, reason, detail: { from: target.state, ...edited } };
      await transaction.commitWith([...moved.statements, ...edits, recordAudit(dialect, this.ids.next(), entry)]);
      return moved.rung;
    });
    failpoint('operate.committed');
    await this.ringer.ring(rung);
    return this.reader.get(tenant, id);
  }
}
