/**
 * Accepts tasks. Concurrent submissions share one transaction; an answer is given only after its commit, and the doorbell
 * rings after that. Those of tenants without room have groups of their own, which are slower, so that the others do not wait for
 * them (see `insert.ts`, which also says what becomes of keys, of rows that are refused and of commits without an answer).
 */
import { type Database, type RowIds, sql } from '@app/database';
import { IdempotencyInProgress } from '@app/errors';
import { failpoint } from '@app/lifecycle';
import { laneOf } from '@app/queue';
import { type Accepted, type Hoped, TaskInserter, TIGHT } from './insert.js';
import { NaturalBatch } from './natural-batch.js';
import type { TaskQuotas } from './quotas.js';
import type { TaskReader } from './read.js';
import type { Ringable, Ringer } from './ring.js';
import { refusalOfName, type Runnable } from './runnable.js';
import { isDelayed, type Entry } from './submit.sql.js';
import type { NewTask, Submitted, TaskView } from './task.js';
import { optionsText, viewOfNew } from './view.js';

const GROUPS_IN_FLIGHT = 2;
/** Careful groups mostly wait for each other: they lock what their tenants use. */
const CAREFUL_GROUPS_IN_FLIGHT = 1;
const GROUP_ROWS_MAX = 500;
const GROUP_BYTES_MAX = 4 * 1024 * 1024;
const WAITING_MAX = 20_000;
const ROW_BYTES = 600;
/** Replayed tasks read at once, payloads and results included. */
const REPLAYS_MAX = 50;

export class TaskSubmitter {
  private readonly hopeful: NaturalBatch<Entry, Accepted | typeof TIGHT>;
  private readonly careful: NaturalBatch<Entry, Accepted>;
  /** Reads the earlier tasks of replayed keys together: a batch that is sent again is one read, not a thousand. */
  private readonly earlier: NaturalBatch<{ tenant: string; id: Buffer }, TaskView | null>;

  constructor(
    private readonly database: Database,
    private readonly ringer: Ringer,
    private readonly reader: TaskReader,
    private readonly ids: RowIds,
    private readonly quotas: TaskQuotas,
    /** Tells whether a name can run, where this process knows them all (embedded); null elsewhere. */
    private readonly runnable: Runnable,
  ) {
    const inserter = new TaskInserter(database, quotas);
    const group = {
      rowsMax: GROUP_ROWS_MAX,
      bytesMax: GROUP_BYTES_MAX,
      waitingMax: WAITING_MAX,
      bytesOf: ({ task, options }: Entry) => ROW_BYTES + task.payload.length + options.length,
    };
    this.hopeful = new NaturalBatch({ ...group, inFlightMax: GROUPS_IN_FLIGHT }, (entries) =>
      this.commit(entries, (some) => inserter.hopefully(some)),
    );
    this.careful = new NaturalBatch({ ...group, inFlightMax: CAREFUL_GROUPS_IN_FLIGHT }, (entries) =>
      this.commit(entries, (some) => inserter.carefully(some)),
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
    while (this.hopeful.size + this.careful.size > 0) await Promise.all([this.hopeful.drained(), this.careful.drained()]);
  }

  /** Null where the key was held for a task whose history is gone: the key has outlived its time, and is freed. */
  private async accept(task: NewTask): Promise<Submitted | null> {
    const payloadBytes = Buffer.byteLength(task.payload);
    const entry: Entry = { id: this.ids.next(), task, phase: 'unrung', options: optionsText(task), payloadBytes };
    const hoped = this.quotas.isTight(task.tenant) ? TIGHT : await this.hopeful.add(entry);
    const accepted = hoped === TIGHT ? await this.careful.add(entry) : hoped;
    if (!('replayOf' in accepted)) return { task: viewOfNew(accepted.entry, accepted.row), replayed: false };
    const earlier = await this.earlier.add({ tenant: task.tenant, id: accepted.replayOf });
    if (earlier !== null) return { task: earlier, replayed: true };
    const keyHash = task.idempotency?.keyHash ?? Buffer.alloc(0);
    await this.database.execute(
      sql`DELETE FROM idempotency_keys WHERE tenant = ${task.tenant} AND key_hash = ${keyHash} AND task_id = ${accepted.replayOf}`,
    );
    return null;
  }

  private async commit<T extends Hoped>(entries: Entry[], insert: (entries: Entry[]) => Promise<T[]>): Promise<T[]> {
    failpoint('submit.received');
    for (const entry of entries) {
      const { task } = entry;
      if (!isDelayed(task)) entry.phase = this.ringer.phaseFor({ tenant: task.tenant, queue: task.queue, lane: laneOf(task.priority) });
    }
    const outcomes = await insert(entries);
    failpoint('submit.committed');
    this.ring(outcomes);
    return outcomes;
  }

  /** After the commit, and without making anyone wait for Redis. */
  private ring(outcomes: readonly Hoped[]): void {
    const claimable = outcomes.flatMap((outcome): Ringable[] => {
      if (outcome === TIGHT || outcome instanceof Error || 'replayOf' in outcome || outcome.row.state !== 'queued') return [];
      const { entry } = outcome;
      if (entry.phase === 'unrung') return [];
      return [{ id: entry.id, tenant: entry.task.tenant, queue: entry.task.queue, lane: laneOf(entry.task.priority) }];
    });
    void this.ringer.ring(claimable);
  }
}
