/**
 * How fast somebody may ask, in the words of GCRA. Each request moves a "theoretical arrival time" (tat) on by one unit; a request
 * is refused that would move it more than the span of the burst beyond now. So a state is one number, a scope that has been quiet is
 * a number in the past, and no window has an edge at which twice the rate could pass.
 *
 * Units, spans and what is leased of them are whole microseconds: a millisecond is more than a request costs where a thousand come
 * per second, and sums of fractions would not come out even.
 */

const MINUTE_US = 60_000_000;
const DAY_US = 86_400_000_000;
const US_PER_MS = 1_000;
const RESERVE_SHARE = 0.01;

/** A limit as operators set it. */
export interface Rate {
  /** Requests per minute in the long run, at least 1. */
  readonly perMinute: number;
  /** Requests that may come at once, at least 1. */
  readonly burst: number;
}

export interface Pace extends Rate {
  /** What one request costs. Rounded up, so a rate is never exceeded; sixty million per minute is the most. */
  readonly unitUs: number;
  /** How far tat may lie ahead of now: the whole burst, but at most what a day adds. */
  readonly spanUs: number;
  /** What one process may keep of a lease that is over: whole requests, a hundredth of the span, at least one. */
  readonly reserveUs: number;
}

export function paceOf({ perMinute, burst }: Rate): Pace {
  const unitUs = Math.ceil(MINUTE_US / perMinute);
  const spanUs = Math.min(burst * unitUs, Math.max(DAY_US, unitUs));
  const reserveUs = Math.max(1, Math.floor((spanUs * RESERVE_SHARE) / unitUs)) * unitUs;
  return { perMinute, burst, unitUs, spanUs, reserveUs };
}

export function msOf(us: number): number {
  return us / US_PER_MS;
}

export function usOf(ms: number): number {
  return Math.floor(ms * US_PER_MS);
}

/** One scope's state in the memory of this process, on its monotonic clock; times in ms. */
export class Bucket {
  private tatUs = Number.NEGATIVE_INFINITY;

  /** Counts a request. Returns 0 where it may pass, otherwise in how many ms one may; what may not pass counts nothing. */
  take(now: number, pace: Pace): number {
    const wait = this.wait(now, pace);
    if (wait === 0) this.tatUs = this.clamped(now, pace) + pace.unitUs;
    return wait;
  }

  /** In how many ms a request may pass; 0 is now. */
  wait(now: number, pace: Pace): number {
    return msOf(Math.max(0, pace.unitUs - this.spareUs(now, pace)));
  }

  /** What is left of the span. */
  spareUs(now: number, pace: Pace): number {
    return usOf(now) + pace.spanUs - this.clamped(now, pace);
  }

  /** Others have left only so much of the span. */
  leave(spareUs: number, now: number, pace: Pace): void {
    this.tatUs = Math.max(this.tatUs, usOf(now) + pace.spanUs - spareUs);
  }

  /** Never further ahead than the span, whatever was counted under another limit or by a clock that was set back. */
  private clamped(now: number, pace: Pace): number {
    return Math.min(Math.max(this.tatUs, usOf(now)), usOf(now) + pace.spanUs);
  }
}
