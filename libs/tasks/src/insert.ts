/**
 * Inserts a group of submissions in one transaction, in one of two ways. The hopeful way takes the places in the quotas along with the
 * insert, in one round trip, and leaves out tenants that are known to have no room: full tenants must not slow down the others of
 * their group. Where the group turns out to be more than somebody has room for, all of it is undone, those who are full are found out, and the
 * others are inserted. The careful way is for those who were left out: it locks what they use first, lets in what fits, in order, and
 * refuses the rest (see `quotas.ts`). What is replayed needs no room.
 *
 * - A keyed submission whose key is taken answers with the earlier task, or refuses another body. It never fails its
 *   neighbours: the key is claimed by an insert that keeps what is there.
 * - A row the database refuses splits the group, so that only that row fails.
 * - A connection that dies during COMMIT leaves the outcome unknown. The ids are ours, so they are looked up, and what is not
 *   there is inserted once more under the same ids.
 */
import { CommitUnknown, type Database, DatabaseError, list, LockTimeout, sql, type Sql, type Transaction } from '@app/database';
import { IdempotencyInProgress, IdempotencyKeyReused } from '@app/errors';
import { failpoint } from '@app/lifecycle';
import type { Place, TaskQuotas } from './quotas.js';
import {
  claimKeyStatements,
  freeKeys,
  insertStatements,
  isKeyed,
  type Entry,
  type IdempotencyRow,
  type InsertedRow,
} from './submit.sql.js';

/** Either the new task, or the id of the earlier one that holds the key. */
export type Accepted = { entry: Entry; row: InsertedRow } | { replayOf: Buffer };
/** Nothing was done: its tenant seems to have no room, and the careful way has to find out. */
export const TIGHT = 'tight';
export type Hoped = Accepted | Error | typeof TIGHT;

type Way<T> = (entries: Entry[]) => Promise<(T | Error)[]>;

const KNOWN_QUEUES_MAX = 10_000;
/** How often a group is tried again without those who were found to be full, before all of it goes the careful way. */
const HOPES_MAX = 3;

export class TaskInserter {
  private readonly knownQueues = new Set<string>();

  constructor(
    private readonly database: Database,
    private readonly quotas: TaskQuotas,
  ) {}

  /** An answer for every entry, in order: an Error fails that one alone. Throws Unavailable for all. */
  hopefully(entries: Entry[]): Promise<Hoped[]> {
    return this.store<Accepted | typeof TIGHT>(entries, (some) => this.insertAllWithRoom(some), true);
  }

  /** The same, and nobody is left out. */
  carefully(entries: Entry[]): Promise<(Accepted | Error)[]> {
    return this.store<Accepted>(entries, (some) => this.insertWhatFits(some), true);
  }

  /** `lookAfter`: whether an unknown commit is still to be looked into; one that is unknown again is the caller's to repeat. */
  private async store<T>(entries: Entry[], way: Way<T | Accepted>, lookAfter: boolean): Promise<(T | Accepted | Error)[]> {
    try {
      return await way(entries);
    } catch (error) {
      if (error instanceof CommitUnknown && lookAfter) return this.afterUnknown(entries, way);
      const divisible = error instanceof DatabaseError || error instanceof LockTimeout;
      if (!divisible) throw error;
      const [only] = entries;
      if (entries.length === 1 && only !== undefined) {
        // Only a commit of ours that was unknown, and took its time, can have used this id before.
        const [row] = error instanceof DatabaseError && error.duplicate ? await this.lookUp(entries) : [];
        if (row !== undefined) return [{ entry: only, row }];
        return [error instanceof LockTimeout && isKeyed(only) ? new IdempotencyInProgress() : error];
      }
      return (
        await Promise.all(entries.map((entry) => this.store([entry], way, lookAfter).catch((reason: unknown) => [reason as Error])))
      ).flat();
    }
  }

  /** The commit's answer was lost: look which rows are there, and insert the others once more. */
  private async afterUnknown<T>(entries: Entry[], way: Way<T | Accepted>): Promise<(T | Accepted | Error)[]> {
    const found = await this.lookUp(entries);
    const byId = new Map(found.map((row) => [row.id.toString('hex'), row]));
    const missing = entries.filter((entry) => !byId.has(entry.id.toString('hex')));
    const repeated = missing.length === 0 ? [] : await this.store(missing, way, false);
    const outcomes = new Map(missing.map((entry, index) => [entry, repeated[index]]));
    return entries.map((entry) => {
      const row = byId.get(entry.id.toString('hex'));
      return row === undefined ? (outcomes.get(entry) ?? new Error('a submission lost its answer')) : { entry, row };
    });
  }

  private async lookUp(entries: readonly Entry[]): Promise<InsertedRow[]> {
    return this.database.query<InsertedRow>(
      sql`SELECT id, state, created_at, run_at, deadline_at FROM tasks WHERE id IN (${list(entries.map((entry) => entry.id))})`,
    );
  }

  private async insertAllWithRoom(entries: Entry[]): Promise<Hoped[]> {
    let hopeful = this.withRoom(entries);
    for (let hopes = 0; hopeful.length > 0 && hopes < HOPES_MAX; hopes += 1) {
      try {
        const outcomes = await this.insertAll(hopeful);
        const byEntry = new Map(hopeful.map((entry, index) => [entry, outcomes[index]]));
        return entries.map((entry) => byEntry.get(entry) ?? TIGHT);
      } catch (error) {
        if (!this.quotas.isOver(error)) throw error;
        await this.quotas.findTight(hopeful.map(placeOf));
        const left = this.withRoom(hopeful);
        if (left.length === hopeful.length) break;
        hopeful = left;
      }
    }
    return entries.map(() => TIGHT);
  }

  private withRoom(entries: readonly Entry[]): Entry[] {
    return entries.filter(({ task }) => !this.quotas.isTight(task.tenant));
  }

  private async insertAll(entries: Entry[]): Promise<(Accepted | Error)[]> {
    await this.quotas.prepare(entries.map(placeOf));
    if (entries.some(isKeyed)) {
      return this.database.transaction(async (transaction) => {
        const { earlier, fresh } = await this.claimKeys(transaction, entries);
        if (fresh.length === 0) return entries.map((entry) => earlier.get(entry) ?? new IdempotencyInProgress());
        return this.finish(transaction, entries, fresh, earlier, this.quotas.take(fresh.map(placeOf)));
      });
    }
    const statements = this.statementsFor(entries);
    const outcomes = await this.database.batch([...statements, ...this.quotas.take(entries.map(placeOf))]);
    this.rememberQueues(entries);
    return accepted(entries, (outcomes[statements.length - 1]?.rows ?? []) as unknown as InsertedRow[]);
  }

  private async insertWhatFits(entries: Entry[]): Promise<(Accepted | Error)[]> {
    await this.quotas.prepare(entries.map(placeOf));
    return this.database.transaction(async (transaction) => {
      const { earlier, fresh } = await this.claimKeys(transaction, entries);
      if (fresh.length === 0) return entries.map((entry) => earlier.get(entry) ?? new IdempotencyInProgress());
      const { refusals, statements } = await this.quotas.fit(transaction, fresh.map(placeOf));
      refusals.forEach((refusal, index) => {
        const entry = fresh[index];
        if (refusal !== null && entry !== undefined) earlier.set(entry, refusal);
      });
      const refused = fresh.filter((entry) => earlier.has(entry)).filter(isKeyed);
      const fitting = fresh.filter((entry) => !earlier.has(entry));
      return this.finish(transaction, entries, fitting, earlier, [...freeKeys(refused), ...statements]);
    });
  }

  /** Which of the entries are answered by their keys already, and which are to be inserted. */
  private async claimKeys(transaction: Transaction, entries: Entry[]): Promise<{ earlier: Map<Entry, Accepted | Error>; fresh: Entry[] }> {
    const keyed = entries.filter(isKeyed);
    const earlier = new Map<Entry, Accepted | Error>();
    if (keyed.length === 0) return { earlier, fresh: entries };
    const claimed = await transaction.run(claimKeyStatements(this.database.dialect, keyed));
    failpoint('submit.key-claimed');
    const holders = new Map<string, IdempotencyRow>();
    for (const row of (claimed[1]?.rows ?? []) as unknown as IdempotencyRow[])
      holders.set(`${row.tenant} ${row.key_hash.toString('hex')}`, row);
    for (const entry of keyed) {
      const { tenant, idempotency } = entry.task;
      const holder = holders.get(`${tenant} ${idempotency.keyHash.toString('hex')}`);
      if (holder === undefined) earlier.set(entry, new IdempotencyInProgress());
      else if (!holder.fingerprint.equals(idempotency.fingerprint)) earlier.set(entry, new IdempotencyKeyReused());
      else if (!holder.task_id.equals(entry.id)) earlier.set(entry, { replayOf: holder.task_id });
    }
    return { earlier, fresh: entries.filter((entry) => !earlier.has(entry)) };
  }

  /** Inserts the fresh ones and commits; `last` are the last statements. Answers all. */
  private async finish(
    transaction: Transaction,
    entries: readonly Entry[],
    fresh: readonly Entry[],
    earlier: ReadonlyMap<Entry, Accepted | Error>,
    last: readonly Sql[],
  ): Promise<(Accepted | Error)[]> {
    const statements = fresh.length === 0 ? [] : this.statementsFor(fresh);
    const outcomes = await transaction.commitWith([...statements, ...last]);
    this.rememberQueues(fresh);
    const inserted = accepted(fresh, (outcomes[statements.length - 1]?.rows ?? []) as unknown as InsertedRow[]);
    const byEntry = new Map(fresh.map((entry, index) => [entry, inserted[index]]));
    return entries.map((entry) => earlier.get(entry) ?? byEntry.get(entry) ?? new IdempotencyInProgress());
  }

  private statementsFor(entries: readonly Entry[]): Sql[] {
    return insertStatements(this.database.dialect, entries, this.newQueues(entries));
  }

  private newQueues(entries: readonly Entry[]): (readonly [string, string])[] {
    const found = new Map<string, readonly [string, string]>();
    for (const { task } of entries) {
      const key = `${task.tenant} ${task.queue}`;
      if (!this.knownQueues.has(key)) found.set(key, [task.tenant, task.queue]);
    }
    return [...found.values()].sort(([a, b], [c, d]) => (`${a} ${b}` < `${c} ${d}` ? -1 : 1));
  }

  private rememberQueues(entries: readonly Entry[]): void {
    if (this.knownQueues.size > KNOWN_QUEUES_MAX) this.knownQueues.clear();
    for (const { task } of entries) this.knownQueues.add(`${task.tenant} ${task.queue}`);
  }
}

function placeOf({ task: { tenant, queue }, payloadBytes }: Entry): Place {
  return { tenant, queue, payloadBytes };
}

/** Pairs entries with what was read back. Only the first and the delayed ones were: the others share the first one's time. */
function accepted(entries: readonly Entry[], found: readonly InsertedRow[]): Accepted[] {
  const byId = new Map(found.map((row) => [row.id.toString('hex'), row]));
  const createdAt = found[0]?.created_at ?? 0;
  return entries.map((entry) => {
    const row = byId.get(entry.id.toString('hex'));
    return { entry, row: row ?? { id: entry.id, state: 'queued', created_at: createdAt, run_at: createdAt, deadline_at: 0 } };
  });
}
