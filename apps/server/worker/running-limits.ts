/**
 * Which tenants may run only so many tasks at a time, and which of those run as many already, as far as this worker knows. It only
 * saves questions: who may claim is decided in the database. That a tenant is full is believed until one of its tasks ends here, and
 * not for longer than an idle worker waits before it looks by itself, because elsewhere one may have ended.
 *
 * A limit that all workers together could not reach, were there twice as many, is not asked for, so that a tenant with a generous
 * one costs nothing.
 */
import { Inject, Injectable } from '@nestjs/common';
import { Config } from '@app/config';
import { Clock } from '@app/lifecycle';
import { LimitBook } from '@app/limits';
import { Workers } from '@app/tasks';

/** How often the slots of all workers a limit must hold to be out of reach; workers may join between two looks. */
const OUT_OF_REACH = 2;
const FULL_MAX = 10_000;
/** For what share of an idle worker's pause a tenant is believed full, so that each of its looks asks once. */
const BELIEVED_SHARE = 0.5;

@Injectable()
export class RunningLimits {
  /** Tenant → until when it counts as full, in ms of the monotonic clock. */
  private readonly fullUntil = new Map<string, number>();
  /** Tenants of which a task has ended since the last question. */
  private readonly ended = new Set<string>();
  /** Slots of all workers; until somebody has counted them, any limit may be reached. */
  private capacity = Number.POSITIVE_INFINITY;

  constructor(
    @Inject(Config) private readonly config: Pick<Config, 'workerPollMs'>,
    @Inject(LimitBook) private readonly book: Pick<LimitBook, 'of'>,
    @Inject(Workers) private readonly workers: Pick<Workers, 'capacity'>,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /** Counts the slots of all workers anew. Throws Unavailable where the database does not answer; what was known stays. */
  async refresh(): Promise<void> {
    this.capacity = await this.workers.capacity();
  }

  /** How many tasks the tenant may run at a time; null where that bounds nothing. */
  of(tenant: string): number | null {
    const limit = this.book.of(tenant)['tasks.running'];
    return limit >= this.capacity * OUT_OF_REACH ? null : limit;
  }

  isFull(tenant: string): boolean {
    const until = this.fullUntil.get(tenant);
    if (until === undefined) return false;
    if (this.clock.monotonic() < until && this.of(tenant) !== null) return true;
    this.fullUntil.delete(tenant);
    return false;
  }

  /** A claim within the limit is about to be made; claims are made one at a time. */
  asking(): void {
    this.ended.clear();
  }

  /**
   * The claim has found the tenant full. Nothing is noted where one of its tasks has ended here since the claim was sent: then
   * nobody else will say that there is room, so whoever asked must ask again.
   */
  foundFull(tenant: string): void {
    if (this.ended.has(tenant)) return;
    if (this.fullUntil.size >= FULL_MAX) this.fullUntil.clear();
    this.fullUntil.set(tenant, this.clock.monotonic() + this.config.workerPollMs * BELIEVED_SHARE);
  }

  /** A task of the tenant has ended here. Says whether the tenant was thought full, so that looking for another one is worth it. */
  taskEnded(tenant: string): boolean {
    if (this.of(tenant) === null) return this.fullUntil.delete(tenant);
    this.ended.add(tenant);
    return this.fullUntil.delete(tenant);
  }
}
