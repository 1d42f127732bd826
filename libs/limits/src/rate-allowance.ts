/**
 * What one tenant or credential may still do in this process. It is leased from the store in blocks, so that most requests touch
 * memory only: a block is what the last seconds used, is asked for while the one before still lasts, and ends with its lease, but for the
 * little that is kept (`rate-leased.ts`). Near the limit only what waits is asked for. What is leased is already counted in the store,
 * therefore in any time W the installation lets pass at most the burst, the rate times (W + one lease), and a hundredth of the burst for
 * every process.
 *
 * Where the store does not answer in time, leases go on to their end, and then this process decides alone, at the same rate.
 */
import { within, type Clock } from '@app/lifecycle';
import { Leased } from './rate-leased.js';
import { Bucket, msOf, usOf, type Pace } from './rate-pace.js';
import type { Scope, Taken } from './rate-store.js';
import type { RateTaker } from './rate-taker.js';

/** A block holds at least so many requests while there is plenty: who comes rarely should not ask every time. */
const BLOCK_MIN = 10;
/** A new block is asked for when this share of the last is left. */
const LOW_SHARE = 0.25;
const SPAN_SHARE = 0.25;
/** How long a refusal is repeated without asking at least, in ms: a flood of refused requests must not be a flood of statements. */
const REFUSED_MS_MIN = 25;

export interface LeaseTerms {
  /** How long a block may be used, in ms. */
  readonly leaseMs: number;
  /** How long a request waits for a block, in ms. */
  readonly waitMs: number;
}

export class Allowance {
  private readonly leased = new Leased();
  /** Below this much a block is asked for ahead of time; 0 near the limit. */
  private lowUs = 0;
  private refusedUntil = Number.NEGATIVE_INFINITY;
  private asking: Promise<void> | null = null;
  private waiting = 0;
  private usedUs = 0;
  private usedSince = Number.NEGATIVE_INFINITY;
  private spare: { us: number; at: number } | null = null;
  private readonly alone = new Bucket();
  private pace: Pace | null = null;

  constructor(
    private readonly scope: Scope,
    private readonly taker: RateTaker,
    private readonly terms: LeaseTerms,
    private readonly clock: Clock,
  ) {}

  /**
   * Counts a request: 0 where it may pass, otherwise in how many ms one may. A promise where the store has to be asked; it is settled
   * within the terms and never rejects. Another object for the pace means that the limit was changed.
   */
  take(pace: Pace): number | Promise<number> {
    const now = this.clock.monotonic();
    if (pace !== this.pace) {
      this.pace = pace;
      this.refusedUntil = Number.NEGATIVE_INFINITY;
    }
    return this.decide(now, pace) ?? this.ask(now + this.terms.waitMs, pace);
  }

  /** The request that was counted last did not happen. */
  giveBack(pace: Pace): void {
    this.leased.unspend(this.clock.monotonic(), pace);
  }

  /** How many requests could pass at once, as far as this process knows, and in how many ms it would be the whole burst again. */
  outlook(pace: Pace): { remaining: number; fullInMs: number } {
    const { unitUs, burst, spanUs } = pace;
    const now = this.clock.monotonic();
    const shared = this.spare === null ? spanUs : this.spare.us + usOf(now - this.spare.at);
    const us = Math.min(spanUs, shared + this.leased.leftUs(now, pace));
    return { remaining: now < this.refusedUntil ? 0 : Math.min(burst, Math.floor(us / unitUs)), fullInMs: msOf(spanUs - us) };
  }

  /** Null where the store has to be asked. */
  private decide(now: number, pace: Pace): number | null {
    if (this.spend(now, pace)) return 0;
    if (now < this.refusedUntil) return this.refusedUntil - now;
    return this.taker.isAway() ? this.alone.take(now, pace) : null;
  }

  private async ask(giveUpAt: number, pace: Pace): Promise<number> {
    this.waiting += 1;
    try {
      for (;;) {
        const leftMs = giveUpAt - this.clock.monotonic();
        await within(this.refill(pace), Math.max(1, leftMs), 'reading the limits');
        const decided = this.decide(this.clock.monotonic(), pace);
        if (decided !== null) return decided;
        if (leftMs <= 0) return this.alone.take(this.clock.monotonic(), pace);
      }
    } catch (error) {
      this.taker.giveUp(error);
      return this.alone.take(this.clock.monotonic(), pace);
    } finally {
      this.waiting -= 1;
    }
  }

  private spend(now: number, pace: Pace): boolean {
    if (!this.leased.spend(now, pace)) return false;
    this.usedUs += pace.unitUs;
    if (this.lowUs > 0 && this.leased.leftUs(now, pace) < this.lowUs && !this.taker.isAway()) void this.refill(pace);
    return true;
  }

  /** One question at a time; all who wait share its answer. Does not reject. */
  private refill(pace: Pace): Promise<void> {
    this.asking ??= this.lease(pace).finally(() => {
      this.asking = null;
    });
    return this.asking;
  }

  private async lease(pace: Pace): Promise<void> {
    const { unitUs, spanUs } = pace;
    const asked = this.clock.monotonic();
    const unpaid = this.waiting - Math.floor(this.leased.leftUs(asked, pace) / unitUs);
    const needUs = Math.min(spanUs, Math.max(1, unpaid) * unitUs);
    const wantUs = Math.max(needUs, this.blockUs(asked, pace));
    this.usedUs = 0;
    this.usedSince = asked;
    let taken: Taken;
    try {
      taken = await this.taker.take({ scope: this.scope, wantUs, needUs, unitUs, spanUs });
    } catch {
      // The taker has told of it, and is away for a while.
      return;
    }
    const now = this.clock.monotonic();
    if (taken.takenUs > 0) this.leased.add(taken.takenUs, asked + this.terms.leaseMs, now, pace);
    this.lowUs = taken.takenUs < wantUs ? 0 : wantUs * LOW_SHARE;
    this.spare = { us: taken.spareUs, at: now };
    if (taken.spareUs < unitUs) this.refusedUntil = now + Math.max(REFUSED_MS_MIN, msOf(unitUs - taken.spareUs));
  }

  /**
   * Whole requests for the time of one lease, at the pace of the last; at most what the rate adds meanwhile, and a part of the burst. At
   * least what may be kept of it.
   */
  private blockUs(now: number, { unitUs, spanUs, reserveUs }: Pace): number {
    const usedUs = (this.usedUs * this.terms.leaseMs) / Math.max(1, now - this.usedSince);
    const most = Math.min(usOf(this.terms.leaseMs), spanUs * SPAN_SHARE);
    return Math.max(reserveUs, Math.floor(Math.min(most, Math.max(usedUs, BLOCK_MIN * unitUs)) / unitUs) * unitUs);
  }
}
