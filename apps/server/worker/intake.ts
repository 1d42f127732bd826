/**
 * Turns ids and backlog places into running attempts. Everything that is the same for both ways in lives here: paused queues,
 * claims whose answer was lost, and the slots.
 *
 * When a claim fails the tasks may be ours all the same. So the claim is not given up but asked about, with growing pauses,
 * until the database says which of them we hold; meanwhile nothing else is read. Held tasks run, the others are claimed again.
 * A claim that the database refuses for good is divided until it is known which task it does not let go, and that one is passed over.
 *
 * The answer to a claim names every task of it that is this worker's, also one that runs here since an earlier claim. What was held
 * when the claim was sent is therefore not started, even where it has ended by the time the answer is here.
 */
import { Inject, Injectable } from '@nestjs/common';
import { DatabaseError } from '@app/database';
import { Clock, Drain, failpoint, pause, Turns } from '@app/lifecycle';
import { EVERY_TENANT, LimitedClaimer, Queues, Ringer, TaskClaimer } from '@app/tasks';
import type { Backlog, ClaimedTask, LimitedClaim, Pause } from '@app/tasks';
import { Logger } from '@app/telemetry';
import { BacklogCursors } from './backlog-cursors.js';
import { BusyTurns } from './busy-turns.js';
import { Executor } from './executor.js';
import { Lease } from './lease.js';
import { RunningLimits } from './running-limits.js';
import type { Flow } from './sharing.js';
import { Slots } from './slots.js';
import { Suspects } from './suspects.js';
import { Unclaimable } from './unclaimable.js';

const AWAY_MS_MIN = 100;
const AWAY_MS_MAX = 2_000;

/** One try to claim ids. */
type Claim = (worker: Buffer, ids: readonly Buffer[]) => Promise<ClaimedTask[]>;
/** Is told what is about to be claimed. */
type Trying = (ids: readonly Buffer[]) => void;

@Injectable()
export class Intake {
  private paused = new Set<string>();
  private away = false;
  private readonly turns = new Turns();
  private readonly claimAll: Claim = (worker, ids) => this.claimer.claim(worker, ids);
  /** Called when a tenant that was passed over may have room for another task, as far as this worker knows. */
  onRoom: () => void = () => undefined;

  constructor(
    @Inject(Slots) readonly slots: Slots,
    @Inject(Lease) private readonly lease: Pick<Lease, 'id' | 'held'>,
    @Inject(TaskClaimer) private readonly claimer: TaskClaimer,
    @Inject(LimitedClaimer) private readonly limitedClaimer: LimitedClaimer,
    @Inject(RunningLimits) private readonly limits: RunningLimits,
    @Inject(BusyTurns) private readonly busy: BusyTurns,
    @Inject(Queues) private readonly queues: Queues,
    @Inject(Ringer) private readonly ringer: Ringer,
    @Inject(Executor) private readonly executor: Executor,
    @Inject(Suspects) private readonly suspects: Suspects,
    @Inject(Unclaimable) private readonly unclaimable: Unclaimable,
    @Inject(BacklogCursors) private readonly cursors: BacklogCursors,
    @Inject(Drain) private readonly drain: Drain,
    @Inject(Clock) private readonly clock: Pick<Clock, 'monotonic'>,
    @Inject(Logger) private readonly logger: Logger,
  ) {}

  /** Whether the next read makes sense: a slot is free, the lease holds, the database answers, and no suspect is at work. */
  async ready(signal: AbortSignal): Promise<boolean> {
    await this.slots.whenFree(signal);
    if (this.lease.held && !this.away && !this.suspects.closed) return !signal.aborted;
    await pause(AWAY_MS_MIN, signal);
    return false;
  }

  /** Reads the pauses anew. */
  async refreshPauses(): Promise<void> {
    const pauses: Pause[] = await this.queues.pauses();
    this.paused = new Set(pauses.map(({ tenant, queue }) => `${tenant} ${queue}`));
  }

  /** Whether nothing of the tenant's queue may be started now: it is paused, or its tenant is passed over. */
  isClosed({ tenant, queue }: Flow): boolean {
    const isPaused = this.paused.size > 0 && (this.paused.has(`${tenant} ${queue}`) || this.paused.has(`${EVERY_TENANT} ${queue}`));
    return isPaused || this.isPassedOver(tenant);
  }

  /** It runs as many tasks as it may, or somebody else is claiming for it. When that ends, `onRoom` is called. */
  private isPassedOver(tenant: string): boolean {
    return this.limits.isFull(tenant) || this.busy.has(tenant);
  }

  /** The tasks go back to where workers look by themselves. */
  async setAside(ids: readonly Buffer[]): Promise<void> {
    await this.ringer.setAside(ids);
  }

  /**
   * Claims the ids into slots that the caller has reserved, one each, and starts what it got; unused slots are given back.
   * Resolves when the claim is decided, not when the tasks are done.
   */
  async takeIds(ids: readonly Buffer[]): Promise<void> {
    await this.oneAtATime(() => this.decide(ids, ids.length, false, this.claimAll));
  }

  /** Whether tasks of the tenant must be claimed with `takeWithin`. */
  isLimited(tenant: string): boolean {
    return this.limits.of(tenant) !== null;
  }

  /**
   * As `takeIds`, for tasks of one tenant, as far as its limit allows. What was not claimed is set aside at once: its message is
   * about to be finished, and none may come back for it.
   */
  async takeWithin(tenant: string, ids: readonly Buffer[]): Promise<void> {
    const started = await this.oneAtATime(() => this.decide(ids, ids.length, false, this.claimWithin(tenant)));
    if (started === ids.length) return;
    await this.setAside(ids);
    // Where it is passed over, the end of that will be told; an end before this moment was told too early.
    if (!this.isPassedOver(tenant)) this.onRoom();
  }

  /** Claims from one place of the backlog into slots reserved for it; returns how many it got. */
  async takeBacklog(place: Backlog, reserved: number): Promise<number> {
    return this.oneAtATime(async () => {
      const got = await this.takeFrom(place, reserved, this.cursors.of(place));
      // Where it began at the front, or failed, there is no cursor; and what is asked before each claim is asked again before this one.
      const mayGoOn = got < reserved && this.cursors.reset(place) && this.lease.held && !this.drain.draining;
      if (!mayGoOn || this.suspects.closed || this.isClosed(place)) return got;
      const more = this.slots.reserve(reserved - got);
      return got + (more === 0 ? 0 : await this.takeFrom(place, more, null));
    });
  }

  private async takeFrom(place: Backlog, reserved: number, after: Buffer | null): Promise<number> {
    if (!this.lease.held) return this.start(this.lease.id, [], reserved);
    const worker = this.lease.id;
    let tried: readonly Buffer[] = [];
    const trying: Trying = (ids) => {
      tried = ids;
    };
    try {
      return this.start(worker, await this.draw(worker, place, reserved, after, trying), reserved);
    } catch (err) {
      this.cursors.reset(place);
      if (tried.length === 0) {
        // What was never begun has taken nothing; whether the database is away, the next look tells.
        this.logger.warn({ err }, 'Claiming from the backlog failed; trying again.');
        return this.start(worker, [], reserved);
      }
      const isRefused = err instanceof DatabaseError;
      if (!isRefused) this.gone(err);
      return this.decide(tried, reserved, !isRefused, this.claimWithin(place.tenant));
    }
  }

  private async draw(worker: Buffer, place: Backlog, most: number, after: Buffer | null, trying: Trying): Promise<ClaimedTask[]> {
    const limit = this.limits.of(place.tenant);
    if (limit === null) return this.drawOn(worker, place, most, after, trying);
    this.limits.asking();
    const claim = await this.limitedClaimer.claimBacklog(worker, place, most, limit, trying, this.unclaimable.ids);
    const claimed = this.noting(place.tenant, claim);
    if (claim.full && !this.isPassedOver(place.tenant)) this.onRoom();
    return claimed;
  }

  private async drawOn(worker: Buffer, place: Backlog, most: number, after: Buffer | null, trying: Trying): Promise<ClaimedTask[]> {
    const begunAt = this.clock.monotonic();
    const claimed = await this.claimer.claimBacklog(worker, place, most, trying, this.unclaimable.ids, after);
    const last = claimed.at(-1);
    if (claimed.length === most && last !== undefined) this.cursors.moved(place, last.bytes, begunAt);
    return claimed;
  }

  /** The limit is looked up at every try: it may be set while the database is away. */
  private claimWithin(tenant: string): Claim {
    return async (worker, ids) => {
      const limit = this.limits.of(tenant);
      if (limit === null) return this.claimAll(worker, ids);
      this.limits.asking();
      return this.noting(tenant, await this.limitedClaimer.claim(worker, tenant, ids, limit));
    };
  }

  private noting(tenant: string, { claimed, full, busy }: LimitedClaim): ClaimedTask[] {
    if (full) this.limits.foundFull(tenant);
    if (!busy) this.busy.had(tenant);
    else
      this.busy.found(tenant, () => {
        this.onRoom();
      });
    return claimed;
  }

  /** Claims until the database has said yes or no to every id. `asked`: a claim went out and its answer is missing. */
  private async decide(ids: readonly Buffer[], reserved: number, asked: boolean, claim: Claim): Promise<number> {
    if (ids.length === 0) return this.start(this.lease.id, [], reserved);
    const before = this.executor.heldNow(ids);
    const claimed: ClaimedTask[] = [];
    let worker = this.lease.id;
    let open = this.unclaimable.without(ids);
    let unanswered = asked;
    for (let wait = AWAY_MS_MIN; ; wait = Math.min(AWAY_MS_MAX, wait * 2)) {
      if (this.drain.draining && !unanswered) {
        // Nothing new is taken any more, and the messages are about to be forgotten: leave the tasks where workers look.
        await this.ringer.setAside(open);
        break;
      }
      try {
        if (unanswered) claimed.push(...(await this.claimer.held(worker, open)));
        open = open.filter((id) => !claimed.some(({ bytes }) => bytes.equals(id)));
        unanswered = false;
        if (this.lease.held && !this.drain.draining) {
          // What was got under a name that is lost by now is lost with it.
          if (!worker.equals(this.lease.id)) claimed.length = 0;
          worker = this.lease.id;
          claimed.push(...(await this.around(claim, worker, open)));
          this.back();
          break;
        }
      } catch (err) {
        this.gone(err);
        unanswered = true;
        if (this.drain.draining) break;
      }
      await pause(wait, this.drain.signal);
    }
    const fresh = claimed.filter((task) => !before.has(task));
    return this.start(worker, fresh, reserved);
  }

  /** A claim, without those that the database refuses. What it got before it failed for another reason is found by asking. */
  private async around(claim: Claim, worker: Buffer, ids: readonly Buffer[], isPart = false): Promise<ClaimedTask[]> {
    if (isPart && (!this.lease.held || this.drain.draining)) {
      await this.setAside(ids);
      return [];
    }
    try {
      return await claim(worker, ids);
    } catch (err) {
      const [first] = ids;
      if (!(err instanceof DatabaseError) || first === undefined) throw err;
      if (ids.length === 1) {
        this.unclaimable.refused(first, err);
        // Where it refuses every task, it is not asked as fast as it can refuse.
        await pause(AWAY_MS_MIN, this.drain.signal);
        return [];
      }
      const middle = Math.ceil(ids.length / 2);
      const claimed = await this.around(claim, worker, ids.slice(0, middle), true);
      return [...claimed, ...(await this.around(claim, worker, ids.slice(middle), true))];
    }
  }

  /**
   * One claim at a time. Two at once could both see a task as this worker's after one of them took it, and the slower would
   * start it a second time; so each claim's tasks are registered before the next claim is sent. Whoever wants to know what this worker
   * runs asks here as well: while a claim is in doubt, nobody knows.
   */
  async oneAtATime<T>(work: () => Promise<T>): Promise<T> {
    return this.turns.take(work);
  }

  private start(worker: Buffer, claimed: readonly ClaimedTask[], reserved: number): number {
    // A lease that was lost meanwhile took its claims with it.
    const mine = worker.equals(this.lease.id) ? claimed.filter((task) => !this.executor.holds(task)) : [];
    this.slots.release(reserved - mine.length);
    if (mine.length > 0) failpoint('claim.known');
    // One time for all: a handler begins at once, and may take its time before it first waits.
    const claimedAt = this.clock.monotonic();
    for (const task of mine) {
      void this.executor
        .run(worker, task, () => this.lease.held, claimedAt)
        .then(() => {
          this.slots.release(1);
          if (this.limits.taskEnded(task.tenant)) this.onRoom();
        });
    }
    return mine.length;
  }

  private gone(err: unknown): void {
    if (!this.away) this.logger.warn({ err }, 'Claiming failed; nothing is read until the database answers.');
    this.away = true;
  }

  private back(): void {
    if (this.away) this.logger.info({}, 'The database answers again.');
    this.away = false;
  }
}
