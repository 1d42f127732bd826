/**
 * Accepts tasks. Concurrent submissions share one transaction; an answer is given only after its commit, and the doorbell
 * rings after that. What can go wrong, and then what:
 *
 * - A keyed submission whose key is taken answers with the earlier task, or refuses another body. It never fails its
 *   neighbours: the key is claimed by an insert that keeps what is there.
 * - Where the group is more than a tenant's quotas leave room for, all of it is undone and done again the careful way, which lets in
 *   what fits, in order, and refuses the rest (see `quotas.ts`). What is replayed needs no room.
 * - A row the database refuses splits the group, so that only that row fails.
 * - A connection that dies during COMMIT leaves the outcome unknown. The ids are ours, so they are looked up, and what is not
 *   there is inserted once more under the same ids.
 */
import {
  CommitUnknown,
  type Database,
  DatabaseError,
  list,
  LockTimeout,
  type RowIds,
  sql,
  type Sql,
  type Transaction,
} from '@app/database';
import { IdempotencyInProgress, IdempotencyKeyReused } from '@app/errors';
import { failpoint } from '@app/lifecycle';
import { laneOf } from '@app/queue';
import { NaturalBatch } from './natural-batch.js';
import type { Place, TaskQuotas } from './quotas.js';
import type { TaskReader } from './read.js';
import type { Ringable, Ringer } from './ring.js';
import { refusalOfName, type Runnable } from './runnable.js';
import {
  claimKeyStatements,
  freeKeys,
  insertStatements,
  isDelayed,
  isKeyed,
  type Entry,
  type IdempotencyRow,
  type InsertedRow,
} from './submit.sql.js';
import type { NewTask, Submitted, TaskView } from './task.js';
import { optionsText, viewOfNew } from './view.js';

const GROUPS_IN_FLIGHT = 2;
const GROUP_ROWS_MAX = 500;
const GROUP_BYTES_MAX = 4 * 1024 * 1024;
const WAITING_MAX = 20_000;
const ROW_BYTES = 600;
/** Replayed tasks read at once, payloads and results included. */
const REPLAYS_MAX = 50;
const KNOWN_QUEUES_MAX = 10_000;

/** Either the new task, or the id of the earlier one that holds the key. */
type Accepted = { entry: Entry; row: InsertedRow } | { replayOf: Buffer };

export class TaskSubmitter {
  private readonly batch: NaturalBatch<Entry, Accepted>;
  /** Reads the earlier tasks of replayed keys together: a batch that is sent again is one read, not a thousand. */
  private readonly earlier: NaturalBatch<{ tenant: string; id: Buffer }, TaskView | null>;
  private readonly knownQueues = new Set<string>();

  constructor(
    private readonly database: Database,
    private readonly ringer: Ringer,
    private readonly reader: TaskReader,
    private readonly ids: RowIds,
    private readonly quotas: TaskQuotas,
    /** Tells whether a name can run, where this process knows them all (embedded); null elsewhere. */
    private readonly runnable: Runnable,
  ) {
    this.batch = new NaturalBatch(
      {
        inFlightMax: GROUPS_IN_FLIGHT,
        rowsMax: GROUP_ROWS_MAX,
        bytesMax: GROUP_BYTES_MAX,
        waitingMax: WAITING_MAX,
        bytesOf: ({ task, options }) => ROW_BYTES + task.payload.length + options.length,
      },
      (entries) => this.commit(entries),
    );
    this.earlier = new NaturalBatch(
      { inFlightMax: 1, rowsMax: REPLAYS_MAX, bytesMax: GROUP_BYTES_MAX, waitingMax: WAITING_MAX, bytesOf: () => ROW_BYTES },
      (entries) => this.reader.findMany(entries),
    );
  }

  /**
   * Resolves when the task is committed. Throws IdempotencyKeyReused, IdempotencyInProgress, QuotaExceeded, Unavailable, or InvalidRequest
   * (`unknown-handler`) where the whole registry is in this process and lacks the name.
   */
  async submit(task: NewTask): Promise<Submitted> {
    const refusal = refusalOfName(this.runnable, task);
    if (refusal !== null) throw refusal;
    return (await this.accept(task)) ?? (await this.accept(task)) ?? Promise.reject(new IdempotencyInProgress());
  }

  /** Each by itself; one refusal fails none of the others. */
  async submitMany(tasks: readonly NewTask[]): Promise<PromiseSettledResult<Submitted>[]> {
    return Promise.allSettled(tasks.map((task) => this.submit(task)));
  }

  async drained(): Promise<void> {
    await this.batch.drained();
  }

  /** Null where the key was held for a task whose history is gone: the key has outlived its time, and is freed. */
  private async accept(task: NewTask): Promise<Submitted | null> {
    const accepted = await this.batch.add({ id: this.ids.next(), task, phase: 'unrung', options: optionsText(task) });
    if (!('replayOf' in accepted)) return { task: viewOfNew(accepted.entry, accepted.row), replayed: false };
    const earlier = await this.earlier.add({ tenant: task.tenant, id: accepted.replayOf });
    if (earlier !== null) return { task: earlier, replayed: true };
    const keyHash = task.idempotency?.keyHash ?? Buffer.alloc(0);
    await this.database.execute(
      sql`DELETE FROM idempotency_keys WHERE tenant = ${task.tenant} AND key_hash = ${keyHash} AND task_id = ${accepted.replayOf}`,
    );
    return null;
  }

  private async commit(entries: Entry[]): Promise<(Accepted | Error)[]> {
    failpoint('submit.received');
    for (const entry of entries) {
      const { task } = entry;
      if (!isDelayed(task)) entry.phase = this.ringer.phaseFor({ tenant: task.tenant, queue: task.queue, lane: laneOf(task.priority) });
    }
    const outcomes = await this.store(entries, true);
    failpoint('submit.committed');
    return this.rung(outcomes);
  }

  /** `lookAfter`: whether an unknown commit is still to be looked into; one that is unknown again is the caller's to repeat. */
  private async store(entries: Entry[], lookAfter: boolean): Promise<(Accepted | Error)[]> {
    try {
      return await this.insert(entries);
    } catch (error) {
      if (error instanceof CommitUnknown && lookAfter) return this.afterUnknown(entries);
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
        await Promise.all(entries.map((entry) => this.store([entry], lookAfter).catch((reason: unknown) => [reason as Error])))
      ).flat();
    }
  }

  /** The commit's answer was lost: look which rows are there, and insert the others once more. */
  private async afterUnknown(entries: Entry[]): Promise<(Accepted | Error)[]> {
    const found = await this.lookUp(entries);
    const byId = new Map(found.map((row) => [row.id.toString('hex'), row]));
    const missing = entries.filter((entry) => !byId.has(entry.id.toString('hex')));
    const repeated = missing.length === 0 ? [] : await this.store(missing, false);
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

  private async insert(entries: Entry[]): Promise<(Accepted | Error)[]> {
    const places = entries.map(placeOf);
    await this.quotas.prepare(places);
    if (this.quotas.isTight(places)) return this.insertWhatFits(entries);
    try {
      return await this.insertAll(entries);
    } catch (error) {
      if (!this.quotas.isOver(error)) throw error;
      return this.insertWhatFits(entries);
    }
  }

  private async insertAll(entries: Entry[]): Promise<(Accepted | Error)[]> {
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

  /** After the commit, and without making anyone wait for Redis. */
  private rung(outcomes: (Accepted | Error)[]): (Accepted | Error)[] {
    const claimable = outcomes.flatMap((outcome): Ringable[] => {
      if (outcome instanceof Error || 'replayOf' in outcome || outcome.row.state !== 'queued') return [];
      const { entry } = outcome;
      if (entry.phase === 'unrung') return [];
      return [{ id: entry.id, tenant: entry.task.tenant, queue: entry.task.queue, lane: laneOf(entry.task.priority) }];
    });
    void this.ringer.ring(claimable);
    return outcomes;
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

function placeOf({ task: { tenant, queue, payload } }: Entry): Place {
  return { tenant, queue, payloadBytes: Buffer.byteLength(payload) };
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
