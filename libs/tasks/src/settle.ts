/**
 * Records outcomes. Successes of many tasks share one transaction: the conditional update first, then the attempt rows, and
 * only if every row still matched. Where one did not, or where a verdict would send a task round again (and a cancel may be
 * waiting for it), the careful way locks the rows and decides one by one; what is no longer ours is dropped as `fenced`.
 *
 * An outcome whose row somebody else holds for long leaves its group and is tried by itself, so that it keeps no neighbour
 * waiting. While the database is away outcomes are held here and tried again until it is back or the process must go; what is never
 * settled runs again elsewhere, which is what a lease is for.
 */
import { CommitUnknown, DatabaseError, list, LockTimeout, sql, type Database, type Transaction } from '@app/database';
import { TaskRunnerError } from '@app/errors';
import { failpoint, pause } from '@app/lifecycle';
import { recordEvents, type TaskEvent } from './events.js';
import { NaturalBatch } from './natural-batch.js';
import type { Place, TaskQuotas } from './quotas.js';
import type { Ringer } from './ring.js';
import { ends, move, recordAttempts, recorded, setTimers, succeed, type SameClaim, type Settlement } from './settle.sql.js';

const GROUPS_IN_FLIGHT = 2;
const BLOCKED_IN_FLIGHT = 4;
const GROUP_ROWS_MAX = 500;
const GROUP_BYTES_MAX = 4 * 1024 * 1024;
const WAITING_MAX = 20_000;
/** More than the slots of a worker fill with results of the usual size: an outcome that is refused means that the task runs again. */
const WAITING_BYTES_MAX = 256 * 1024 * 1024;
const ROW_BYTES = 200;
const HOLD_MS_MIN = 100;
const HOLD_MS_MAX = 2_000;

/** `fenced`: the task was no longer this worker's, and nothing was written. */
export type Settled = 'settled' | 'fenced';

/** Ends the quick way's transaction. Typed, because the database passes on its own kind and what a transaction threw on purpose. */
class LostRow extends TaskRunnerError {
  constructor() {
    super('internal', 'lost-row', 'A row of the group is no longer ours.');
  }
}

export class TaskSettler {
  private readonly batch: NaturalBatch<Settlement, Settled>;
  /** One by one: those whose group met a row that somebody holds. */
  private readonly blocked: NaturalBatch<Settlement, Settled>;
  /** Outcomes that are not recorded yet. */
  private settling = 0;
  private idle: (() => void)[] = [];
  private readonly stopped = new AbortController();

  constructor(
    private readonly database: Database,
    private readonly ringer: Ringer,
    private readonly quotas: Pick<TaskQuotas, 'giveBack'>,
    private readonly unhandledGraceMs: number,
    private readonly onError: (error: unknown) => void,
  ) {
    const limits = {
      bytesMax: GROUP_BYTES_MAX,
      waitingMax: WAITING_MAX,
      waitingBytesMax: WAITING_BYTES_MAX,
      bytesOf: ({ verdict }: Settlement) => ROW_BYTES + (verdict.kind === 'succeeded' ? verdict.result.length : 0),
    };
    const hold = (settlements: Settlement[]): Promise<(Settled | Error)[]> => this.hold(settlements);
    this.batch = new NaturalBatch({ ...limits, inFlightMax: GROUPS_IN_FLIGHT, rowsMax: GROUP_ROWS_MAX }, hold);
    this.blocked = new NaturalBatch({ ...limits, inFlightMax: BLOCKED_IN_FLIGHT, rowsMax: 1 }, hold);
  }

  /**
   * Resolves when the outcome is committed or known to be fenced. Rejects when `stop` gave up waiting for the database, or with
   * Unavailable when too much is held already.
   */
  settle(settlement: Settlement): Promise<Settled> {
    // With the others first; and where its group met a lock, by itself, in turn with those in the same place.
    const added = this.batch.add(settlement);
    this.settling += 1;
    return added.then(
      (settled) => {
        this.ended();
        return settled;
      },
      (error: unknown) =>
        this.settleAlone(settlement, error).finally(() => {
          this.ended();
        }),
    );
  }

  async drained(): Promise<void> {
    if (this.settling > 0) await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  /** Stops waiting for a database that is away: what is held is rejected, and its tasks run again when the lease ends. */
  stop(): void {
    this.stopped.abort();
  }

  private ended(): void {
    this.settling -= 1;
    if (this.settling === 0) for (const resolve of this.idle.splice(0)) resolve();
  }

  private async settleAlone(settlement: Settlement, first: unknown): Promise<Settled> {
    let error = first;
    for (let wait = 0; ; wait = Math.min(HOLD_MS_MAX, Math.max(HOLD_MS_MIN, wait * 2))) {
      if (!(error instanceof LockTimeout) || this.stopped.signal.aborted) throw error;
      if (wait > 0) await pause(wait, this.stopped.signal);
      try {
        return await this.blocked.add(settlement);
      } catch (failure) {
        error = failure;
      }
    }
  }

  private async hold(settlements: Settlement[]): Promise<(Settled | Error)[]> {
    for (let wait = HOLD_MS_MIN; ; wait = Math.min(HOLD_MS_MAX, wait * 2)) {
      try {
        return await this.record(settlements);
      } catch (error) {
        if (!(error instanceof TaskRunnerError) || error.kind !== 'unavailable' || this.stopped.signal.aborted) throw error;
        this.onError(error);
        if (error instanceof LockTimeout) throw error;
        await pause(wait, this.stopped.signal);
      }
    }
  }

  private async record(settlements: Settlement[]): Promise<(Settled | Error)[]> {
    const plain = settlements.every(({ verdict }) => verdict.kind === 'succeeded');
    try {
      return plain ? await this.quickly(settlements) : await this.carefully(settlements);
    } catch (error) {
      const again = plain && (error instanceof LostRow || error instanceof CommitUnknown);
      return again ? this.recordCarefully(settlements) : this.divide(settlements, error);
    }
  }

  private async recordCarefully(settlements: Settlement[]): Promise<(Settled | Error)[]> {
    try {
      return await this.carefully(settlements);
    } catch (error) {
      return this.divide(settlements, error);
    }
  }

  /** One bad outcome never blocks its neighbours: what the database refuses together is recorded one by one. */
  private async divide(settlements: Settlement[], error: unknown): Promise<(Settled | Error)[]> {
    if (!(error instanceof DatabaseError)) throw error;
    const [only] = settlements;
    if (settlements.length === 1 && only !== undefined) return [await this.asUnstorable(only, error)];
    return (await Promise.all(settlements.map((settlement) => this.record([settlement])))).flat();
  }

  private async quickly(settlements: readonly Settlement[]): Promise<Settled[]> {
    const { dialect } = this.database;
    return this.database.transaction(async (transaction) => {
      const groups = grouped(settlements);
      // Fixed for all: as an expression it would be parsed and worked out for every row.
      const moves = groups.map(({ worker, attempt, members }) => {
        const ids = members.map(({ task }) => task.bytes);
        return succeed(dialect, worker, attempt, ids, dialect.fixedNow);
      });
      const outcomes = (await transaction.run([...dialect.fixNow, ...moves])).slice(dialect.fixNow.length);
      groups.forEach((group, index) => {
        if (outcomes[index]?.affected !== group.members.length) throw new LostRow();
      });
      failpoint('settle.moved');
      await transaction.commitWith([recordAttempts(settlements, dialect.fixedNow), ...this.quotas.giveBack(settlements.map(placeOf))]);
      failpoint('settle.committed');
      return settlements.map(() => 'settled' as const);
    });
  }

  private async carefully(settlements: readonly Settlement[]): Promise<Settled[]> {
    const outcome = await this.database.transaction((transaction) => this.decide(transaction, settlements));
    failpoint('settle.committed');
    await this.ringer.ring(
      outcome.written
        .filter(({ verdict }) => verdict.kind === 'fallback' || (verdict.kind === 'released' && verdict.delayMs === 0))
        .map(({ task }) => ({ id: task.bytes, tenant: task.tenant, queue: task.queue, lane: task.lane })),
    );
    return outcome.results;
  }

  private async decide(
    transaction: Transaction,
    settlements: readonly Settlement[],
  ): Promise<{ results: Settled[]; written: Settlement[] }> {
    const { dialect } = this.database;
    const ids = settlements.map(({ task }) => task.bytes).sort(Buffer.compare);
    const locked = await transaction.query<{ id: Buffer; state: string; attempt: number; worker_id: Buffer }>(
      sql`SELECT id, state, attempt, worker_id FROM tasks WHERE id IN (${list(ids)}) ORDER BY id${dialect.lock}`,
    );
    failpoint('settle.locked');
    const found = await transaction.query<{ task_id: Buffer }>(sql`SELECT task_id FROM cancel_requests WHERE task_id IN (${list(ids)})`);
    const held = new Set(locked.filter(({ state }) => state === 'running').map((row) => claimKey(row.id, row.attempt, row.worker_id)));
    const requested = new Set(found.map(({ task_id: id }) => id.toString('hex')));
    const ours = settlements.filter((settlement) => held.has(keyOf(settlement)));
    const written = ours.map((settlement) =>
      requested.has(settlement.task.bytes.toString('hex')) ? yieldToCancel(settlement) : settlement,
    );
    const strangers = settlements.filter((settlement) => !held.has(keyOf(settlement)));
    const before = strangers.length === 0 ? new Set<string>() : await this.recordedBefore(transaction, strangers);
    const results = settlements.map((settlement): Settled => {
      const key = keyOf(settlement);
      return held.has(key) || before.has(key) ? 'settled' : 'fenced';
    });
    if (written.length > 0) {
      await transaction.commitWith([
        ...written.map((settlement) => move(dialect, settlement)),
        recordAttempts(written, dialect.now),
        ...setTimers(dialect, written, this.unhandledGraceMs),
        ...recordEvents(dialect, written.flatMap(told)),
        sql`DELETE FROM cancel_requests WHERE task_id IN (${list(written.map(({ task }) => task.bytes))})`,
        ...this.quotas.giveBack(written.filter(({ verdict }) => ends(verdict)).map(placeOf)),
      ]);
    }
    return { results, written };
  }

  /** An earlier COMMIT of ours whose answer was lost has left its attempt row; a sweeper's row says that we were too late. */
  private async recordedBefore(transaction: Transaction, strangers: readonly Settlement[]): Promise<Set<string>> {
    const found = await transaction.query<{ task_id: Buffer; attempt: number; worker_id: Buffer }>(recorded(grouped(strangers)));
    return new Set(found.map((row) => claimKey(row.task_id, row.attempt, row.worker_id)));
  }

  /** The database refuses this outcome itself. The task must still end, so it ends as failed, with the reason. */
  private async asUnstorable(settlement: Settlement, cause: DatabaseError): Promise<Settled | Error> {
    this.onError(cause);
    const error = { code: 'outcome-not-storable', message: 'The outcome of the attempt could not be stored.' };
    try {
      const [result] = await this.carefully([
        { ...settlement, verdict: { kind: 'failed', reason: 'permanent_error', error, timedOut: false } },
      ]);
      return result ?? 'fenced';
    } catch (failure) {
      if (failure instanceof DatabaseError) return failure;
      throw failure;
    }
  }
}

function placeOf({ task: { tenant, queue, payload } }: Settlement): Place {
  return { tenant, queue, payloadBytes: Buffer.byteLength(payload) };
}

/** What the attempt row does not say: that this crash was one too many, or who takes over from whom. */
function told({ task, verdict }: Settlement): TaskEvent[] {
  if (verdict.kind === 'fallback') {
    return [{ task: task.bytes, kind: 'fell_back', detail: { attempt: task.attempt, from: verdict.from, to: verdict.to } }];
  }
  if (verdict.kind !== 'crashed' || !verdict.poison) return [];
  return [{ task: task.bytes, kind: 'poisoned', detail: { attempt: task.attempt, crashes: task.crashes + 1 } }];
}

/** A cancel that arrived while the handler failed or was given back wins over another round. */
function yieldToCancel(settlement: Settlement): Settlement {
  const { verdict } = settlement;
  switch (verdict.kind) {
    case 'retry':
    case 'released':
    case 'fallback':
      return { ...settlement, verdict: { kind: 'cancelled', error: verdict.error } };
    case 'snoozed':
      return { ...settlement, verdict: { kind: 'cancelled', error: null } };
    case 'crashed':
      return verdict.poison ? settlement : { ...settlement, verdict: { kind: 'cancelled', error: verdict.error } };
    case 'succeeded':
    case 'failed':
    case 'cancelled':
      return settlement;
  }
}

/** One claim, as text: what a settlement speaks of, and what a row of ours is recognised by. */
const claimKey = (id: Buffer, attempt: number, worker: Buffer): string => `${id.toString('hex')} ${attempt} ${worker.toString('hex')}`;
const keyOf = ({ task, worker }: Settlement): string => claimKey(task.bytes, task.attempt, worker);

function grouped(settlements: readonly Settlement[]): SameClaim[] {
  const groups = new Map<string, SameClaim & { members: Settlement[] }>();
  for (const settlement of settlements) {
    const key = `${settlement.worker.toString('hex')} ${settlement.task.attempt}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { worker: settlement.worker, attempt: settlement.task.attempt, members: [settlement] });
    else group.members.push(settlement);
  }
  return [...groups.values()];
}
