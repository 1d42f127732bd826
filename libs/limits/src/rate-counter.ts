/**
 * Counts what must not happen often by those who have no allowance to lease from, because nobody knows them: attempts that failed,
 * requests without a token. This process decides at once and by itself, and tells the store afterwards; what the store answers,
 * that is, what other processes and this one before its restart have counted, holds from then on. So nobody waits for the database
 * before he is known, and a process that has just started, or another replica, lets pass what comes until the first answer: as a rule
 * one request.
 */
import type { Clock } from '@app/lifecycle';
import { Remembered } from './rate-memory.js';
import { Bucket, type Pace } from './rate-pace.js';
import { scopeOf, type ScopeKind } from './rate-scope.js';
import type { Scope } from './rate-store.js';
import type { RateTaker } from './rate-taker.js';

interface Count {
  readonly scope: Scope;
  readonly bucket: Bucket;
  untold: number;
  isTelling: boolean;
}

export interface CounterOptions {
  readonly kind: ScopeKind;
  readonly pace: Pace;
  /** How many are remembered. */
  readonly rememberedMax: number;
  /** The store hears of those who have used more than this share of the burst, 0 to 1: of a flood of passers-by it hears nothing. */
  readonly tellFrom: number;
}

export class RateCounter {
  private readonly counts: Remembered<Count>;

  constructor(
    private readonly taker: RateTaker,
    private readonly clock: Clock,
    private readonly options: CounterOptions,
  ) {
    this.counts = new Remembered(options.rememberedMax, (key) => ({
      scope: scopeOf(options.kind, key),
      bucket: new Bucket(),
      untold: 0,
      isTelling: false,
    }));
  }

  get remembered(): number {
    return this.counts.size;
  }

  /** Whether anything was counted here that still has an effect. */
  knows(key: string): boolean {
    const count = this.counts.peek(key);
    return count !== undefined && count.bucket.spareUs(this.clock.monotonic(), this.options.pace) < this.options.pace.spanUs;
  }

  /** In how many ms the next one may come; 0 is now. Counts nothing. */
  waitMs(key: string): number {
    return this.counts.peek(key)?.bucket.wait(this.clock.monotonic(), this.options.pace) ?? 0;
  }

  /** Counts one and returns 0; where none may come, counts nothing and returns in how many ms one may. */
  count(key: string): number {
    const { pace, tellFrom } = this.options;
    const now = this.clock.monotonic();
    const count = this.counts.of(key);
    const waitMs = count.bucket.take(now, pace);
    if (waitMs > 0) return waitMs;
    count.untold += 1;
    const usedUs = pace.spanUs - count.bucket.spareUs(now, pace);
    if (!count.isTelling && usedUs > pace.spanUs * tellFrom) void this.tell(count);
    return 0;
  }

  /** Does not reject: what could not be told is told with the next. */
  private async tell(count: Count): Promise<void> {
    const { unitUs, spanUs } = this.options.pace;
    count.isTelling = true;
    while (count.untold > 0 && !this.taker.isAway()) {
      const told = count.untold;
      const needUs = Math.min(spanUs, told * unitUs);
      try {
        const { spareUs } = await this.taker.take({ scope: count.scope, wantUs: needUs, needUs, unitUs: 1, spanUs });
        count.untold -= told;
        count.bucket.leave(spareUs, this.clock.monotonic(), this.options.pace);
      } catch {
        break;
      }
    }
    count.isTelling = false;
  }
}
