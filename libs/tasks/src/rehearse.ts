/**
 * Looks, without writing anything, at what a submission would meet: whether its key is taken, and whether its queue is paused. What is
 * told was true when it was read; a submission a moment later may meet something else.
 */
import { type Database, idText, list, sql } from '@app/database';
import { IdempotencyKeyReused, type TaskRunnerError } from '@app/errors';
import { databaseNow } from './database-now.js';
import { EVERY_TENANT } from './queues.js';
import { refusalOfName, type Runnable } from './runnable.js';
import type { NewTask } from './task.js';

/** How many keys and queues one statement asks for. */
const PAGE = 200;

export interface Rehearsed {
  /** Id of the task that the key would answer with; null where a new one would be stored. */
  replayOf: string | null;
  queuePaused: boolean;
  /** Not due yet by the database's clock. */
  delayed: boolean;
}

interface HeldKey {
  key_hash: Buffer;
  fingerprint: Buffer;
  task_id: Buffer;
}

export class TaskRehearser {
  constructor(
    private readonly database: Database,
    private readonly runnable: Runnable,
  ) {}

  /**
   * One answer per task, in order, each by itself: two tasks of the list do not know of each other.
   * @param tasks all of one tenant
   * @returns IdempotencyKeyReused, or InvalidRequest `unknown-handler`, in the place of a task that would be refused
   * @throws Unavailable
   */
  async rehearse(tenant: string, tasks: readonly NewTask[]): Promise<(Rehearsed | TaskRunnerError)[]> {
    const paused = await this.pausedQueues(tenant, [...new Set(tasks.map(({ queue }) => queue))]);
    const now = tasks.some(({ runAt }) => runAt !== null) ? await databaseNow(this.database) : 0;
    const keys = await this.heldKeys(
      tenant,
      tasks.flatMap(({ idempotency }) => idempotency?.keyHash ?? []),
    );
    return tasks.map((task) => {
      const refusal = refusalOfName(this.runnable, task);
      if (refusal !== null) return refusal;
      const held = task.idempotency === null ? undefined : keys.get(task.idempotency.keyHash.toString('hex'));
      if (held !== undefined && task.idempotency?.fingerprint.equals(held.fingerprint) !== true) return new IdempotencyKeyReused();
      return {
        replayOf: held === undefined ? null : idText(held.task_id),
        queuePaused: paused.has(task.queue),
        delayed: (task.delayMs ?? 0) > 0 || (task.runAt ?? 0) > now,
      };
    });
  }

  private async pausedQueues(tenant: string, names: readonly string[]): Promise<ReadonlySet<string>> {
    const paused = new Set<string>();
    for (const page of pagesOf(names)) {
      const found = await this.database.query<{ name: string }>(
        sql`SELECT name FROM queues WHERE tenant IN (${tenant}, ${EVERY_TENANT}) AND name IN (${list(page)}) AND paused_at > 0`,
      );
      for (const { name } of found) paused.add(name);
    }
    return paused;
  }

  /** A key whose task is gone counts as free, as it does at a submission. */
  private async heldKeys(tenant: string, hashes: readonly Buffer[]): Promise<ReadonlyMap<string, HeldKey>> {
    const held = new Map<string, HeldKey>();
    for (const page of pagesOf(hashes)) {
      const found = await this.database.query<HeldKey>(
        sql`SELECT k.key_hash, k.fingerprint, k.task_id FROM idempotency_keys k JOIN tasks t ON t.id = k.task_id WHERE k.tenant = ${tenant} AND k.key_hash IN (${list(page)})`,
      );
      for (const key of found) held.set(key.key_hash.toString('hex'), key);
    }
    return held;
  }
}

function pagesOf<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / PAGE) }, (_, page) => items.slice(page * PAGE, (page + 1) * PAGE));
}
