/**
 * Takes tasks away from workers that are lost. A worker is lost when this sweeper has itself watched its heartbeat stand still
 * for the worker's lease: no two clocks are compared, and a sweeper that was asleep starts watching anew instead of declaring
 * everybody dead. A sweeper that could not look, or could not write, starts anew as well: where it is refused, so are the heartbeats, and so it
 * tries to write whenever a heart seems to stand still.
 * The worker's row is marked by compare-and-set on the very beat that was watched; then every running task
 * whose worker is not a live one goes back, again and again, whoever marked it.
 *
 * A crash is counted apart from a failure, and only where a process may have died: a worker that said goodbye (`stopped`) left
 * its tasks, it did not fall over them. A task that was there when its worker died too often ends as poison.
 */
import { type Database, idText, list, NOBODY, rows, sql, type Sql, type Transaction } from '@app/database';
import { failpoint, type Clock } from '@app/lifecycle';
import { laneAt } from '@app/queue';
import type { ClaimNotes } from './claim-notes.js';
import { recordEvents, type TaskEvent } from './events.js';
import { PAYLOAD_BYTES, type Place, type TaskQuotas } from './quotas.js';
import type { Ringable, Ringer } from './ring.js';
import { WORKER_LOST } from './worker-lost.js';

const PAGE = 200;
/** A gap this many times longer than the usual one, and a second more, means that this sweeper slept, not the workers. */
const SLEPT_FACTOR = 3;
const SLEPT_MS = 1_000;

interface Watched {
  beat: number;
  since: number;
}

interface WorkerRow {
  id: Buffer;
  beat: number;
  lease_ms: number;
}

interface RunningRow extends Place {
  id: Buffer;
  lane: number;
  attempt: number;
  crashes: number;
  worker_id: Buffer;
  worker_state: string | null;
  /** The task its worker ran by itself, or nobody. */
  solo_task: Buffer;
  started_at: number;
}

const wasAlone = (row: RunningRow): boolean => row.solo_task.equals(row.id);

/** Whether the death of the worker may be this task's doing: not where it said goodbye, nor where another ran by itself. */
const crashed = (row: RunningRow): boolean => row.worker_state !== 'stopped' && (row.solo_task.equals(NOBODY) || wasAlone(row));

/** The attempt row says that it was lost; this says by whose hand, and whether it counts. */
const takenBack = (row: RunningRow): TaskEvent => ({
  task: row.id,
  kind: 'taken_back',
  detail: { attempt: row.attempt, workerId: idText(row.worker_id), crashed: crashed(row) },
});

/** In company a crash proves little; so many times the limit makes up for it. */
const COMPANY_FACTOR = 2;

export class TaskSweeper {
  private watched = new Map<string, Watched>();
  private lastLook = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly database: Database,
    private readonly ringer: Ringer,
    private readonly quotas: Pick<TaskQuotas, 'giveBack'>,
    private readonly notes: Pick<ClaimNotes, 'clear'>,
    private readonly clock: Clock,
    private readonly poisonCrashes: number,
    /** How often `markLost` is called, in ms. */
    private readonly lookEveryMs: number,
  ) {}

  /**
   * Marks workers whose heartbeat stood still; returns their ids. Throws where it could not look or write, and then has watched nobody; or
   * what a mark did, when all were tried and none was made: it is tried again by the next look.
   */
  async markLost(): Promise<string[]> {
    const due = await this.look().catch((error: unknown) => {
      this.watched.clear();
      throw error;
    });
    const lost: string[] = [];
    const failures: unknown[] = [];
    for (const { id, beat } of due) {
      try {
        if (await this.mark(id, beat)) lost.push(idText(id));
      } catch (error) {
        failures.push(error);
      }
    }
    if (lost.length > 0) failpoint('sweep.marked');
    else if (failures.length > 0) throw failures[0];
    return lost;
  }

  /** Whose heartbeat has stood still for a lease, as far as this sweeper has seen. */
  private async look(): Promise<WorkerRow[]> {
    const workers = await this.database.query<WorkerRow>(sql`SELECT id, beat, lease_ms FROM workers WHERE state IN ('live', 'draining')`);
    const now = this.clock.monotonic();
    const gap = now - this.lastLook;
    this.lastLook = now;
    const slept = gap > this.lookEveryMs * SLEPT_FACTOR + SLEPT_MS;
    const watched = new Map<string, Watched>();
    const due: WorkerRow[] = [];
    let isStill = false;
    for (const worker of workers) {
      const key = worker.id.toString('hex');
      const before = this.watched.get(key);
      const still = before !== undefined && before.beat === worker.beat && !slept;
      const entry = still ? before : { beat: worker.beat, since: now };
      isStill ||= still;
      watched.set(key, entry);
      if (still && now - entry.since >= worker.lease_ms) due.push(worker);
    }
    this.watched = watched;
    if (isStill) await this.tryToWrite();
    return due;
  }

  /** Changes nothing, and is refused where nothing can be changed. */
  private async tryToWrite(): Promise<void> {
    await this.database.execute(sql`UPDATE workers SET beat = beat WHERE id = ${NOBODY}`);
  }

  /**
   * Takes back a page of running tasks whose worker is not live, once its notes are cleared; where that fails, those that need none are taken
   * back before it throws. They are looked for without locks, locked by id, and only then
   * asked about their workers: a worker that registered and claimed while the look was under way is live by that time.
   */
  async takeBack(): Promise<{ taken: number; full: boolean }> {
    try {
      await this.notes.clear();
    } catch (error) {
      await this.takeBackLive();
      throw error;
    }
    return this.takeBackLive();
  }

  private async takeBackLive(): Promise<{ taken: number; full: boolean }> {
    const { dialect } = this.database;
    const candidates = await this.database.query<{ id: Buffer }>(
      sql`SELECT id FROM tasks${dialect.by('ix_tasks_phase')} WHERE phase = 'live' AND state = 'running' AND worker_id NOT IN (SELECT id FROM workers WHERE state IN ('live', 'draining')) LIMIT ${PAGE}`,
    );
    if (candidates.length === 0) return { taken: 0, full: false };
    const wanted = candidates.map(({ id }) => id).sort(Buffer.compare);
    const outcome = await this.database.transaction(async (transaction) => {
      const orphans = await this.orphansOf(transaction, wanted);
      if (orphans.length === 0) return { taken: 0, rung: [] };
      failpoint('sweep.locked');
      const ids = orphans.map(({ id }) => id);
      const asked = await transaction.query<{ task_id: Buffer }>(sql`SELECT task_id FROM cancel_requests WHERE task_id IN (${list(ids)})`);
      const cancelled = orphans.filter(({ id }) => asked.some(({ task_id: other }) => other.equals(id)));
      const poisoned = orphans.filter((row) => !cancelled.includes(row) && this.isPoison(row));
      const queued = orphans.filter((row) => !cancelled.includes(row) && !poisoned.includes(row));
      await transaction.commitWith([
        ...[0, 1].flatMap((crashes) => {
          const counted = (row: RunningRow): boolean => crashed(row) === (crashes === 1);
          return [...this.cancel(cancelled.filter(counted), crashes), ...this.requeue(queued.filter(counted), crashes)];
        }),
        ...this.end(poisoned, sql`state = 'failed', phase = 'failed', ended = 'failed', reason = 'poison'`, 1),
        this.record(orphans),
        ...recordEvents(dialect, [
          ...orphans.map(takenBack),
          ...poisoned.map(({ id, attempt, crashes }): TaskEvent => ({
            task: id,
            kind: 'poisoned',
            detail: { attempt, crashes: crashes + 1 },
          })),
          ...cancelled.map(({ id, attempt }): TaskEvent => ({ task: id, kind: 'cancelled', detail: { from: 'running', attempt } })),
        ]),
        sql`DELETE FROM cancel_requests WHERE task_id IN (${list(ids)})`,
        ...this.quotas.giveBack([...cancelled, ...poisoned]),
      ]);
      return {
        taken: orphans.length,
        rung: queued.map((row): Ringable => ({ id: row.id, tenant: row.tenant, queue: row.queue, lane: laneAt(row.lane) })),
      };
    });
    if (outcome.taken > 0) failpoint('sweep.committed');
    // Stored unrung, and rung all the same: whoever is quicker, the message or the workers' own look.
    await this.ringer.ring(outcome.rung);
    return { taken: outcome.taken, full: candidates.length === PAGE && outcome.taken > 0 };
  }

  private async orphansOf(transaction: Transaction, ids: readonly Buffer[]): Promise<RunningRow[]> {
    const { dialect } = this.database;
    const held = await transaction.query<Omit<RunningRow, 'worker_state' | 'solo_task'>>(
      sql`SELECT id, tenant, queue, lane, attempt, crashes, worker_id, started_at, ${PAYLOAD_BYTES} AS payloadBytes FROM tasks${dialect.byPrimary} WHERE id IN (${list(ids)}) AND state = 'running' ORDER BY id${dialect.lockFree}`,
    );
    if (held.length === 0) return [];
    const workers = await transaction.query<{ id: Buffer; state: string; solo_task: Buffer }>(
      sql`SELECT id, state, solo_task FROM workers WHERE id IN (${list(held.map(({ worker_id: id }) => id))})`,
    );
    const known = new Map(workers.map((worker) => [worker.id.toString('hex'), worker]));
    return held
      .map((row) => {
        const worker = known.get(row.worker_id.toString('hex'));
        return { ...row, worker_state: worker?.state ?? null, solo_task: worker?.solo_task ?? NOBODY };
      })
      .filter(({ worker_state: state }) => state !== 'live' && state !== 'draining');
  }

  private isPoison(row: RunningRow): boolean {
    const limit = wasAlone(row) ? this.poisonCrashes : this.poisonCrashes * COMPANY_FACTOR;
    return crashed(row) && row.crashes + 1 >= limit;
  }

  private async mark(id: Buffer, beat: number): Promise<boolean> {
    const marked = await this.database.execute(
      sql`UPDATE workers SET state = 'lost' WHERE id = ${id} AND beat = ${beat} AND state IN ('live', 'draining')`,
    );
    return marked === 1;
  }

  private cancel(members: readonly RunningRow[], crashes: number): Sql[] {
    return this.end(members, sql`state = 'cancelled', phase = 'cancelled', ended = 'cancelled'`, crashes);
  }

  private end(members: readonly RunningRow[], change: Sql, crashes: number): Sql[] {
    if (members.length === 0) return [];
    const { byPrimary, now } = this.database.dialect;
    return [
      sql`UPDATE tasks${byPrimary} SET ${change}, crashes = crashes + ${crashes}, worker_id = ${NOBODY}, finished_at = ${now}, updated_at = ${now} WHERE id IN (${list(members.map(({ id }) => id))}) AND state = 'running'`,
    ];
  }

  private requeue(members: readonly RunningRow[], crashes: number): Sql[] {
    if (members.length === 0) return [];
    const { byPrimary, now } = this.database.dialect;
    return [
      sql`UPDATE tasks${byPrimary} SET state = 'queued', phase = 'unrung', crashes = crashes + ${crashes}, worker_id = ${NOBODY}, run_at = ${now}, rung_at = 0, updated_at = ${now} WHERE id IN (${list(members.map(({ id }) => id))}) AND state = 'running'`,
    ];
  }

  private record(orphans: readonly RunningRow[]): Sql {
    const { now } = this.database.dialect;
    const values = orphans.map((row) => [
      row.id,
      row.attempt,
      'lost',
      row.worker_id,
      row.started_at,
      now,
      WORKER_LOST.code,
      WORKER_LOST.message,
      null,
    ]);
    return sql`INSERT INTO attempts (task_id, attempt, outcome, worker_id, started_at, finished_at, error_code, error_message, result) VALUES ${rows(values)}`;
  }
}
