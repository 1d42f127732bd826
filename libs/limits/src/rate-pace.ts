/**
 * How fast somebody may ask, in the words of GCRA. Each request moves a "theoretical arrival time" (tat) on by one unit; a request
 * is refused that would move it more than the burst beyond now. So a state is one number, a scope that has been quiet is a number
 * in the past, and no window has an edge at which twice the rate could pass.
 */

const MINUTE_MS = 60_000;
/** Sums of fractions of a millisecond are not exact; a refusal must not hang on the last digit. */
const TOLERANCE_MS = 1e-6;

/** A limit as operators set it. */
export interface Rate {
  /** Requests per minute in the long run, at least 1. */
  readonly perMinute: number;
  /** Requests that may come at once, at least 1. */
  readonly burst: number;
}

/** The same in milliseconds of tat. */
export interface Pace extends Rate {
  /** What one request costs; may be a fraction. */
  readonly unitMs: number;
  /** How far tat may lie ahead of now; whole, so a burst is at least what the rate lets pass in one millisecond. */
  readonly burstMs: number;
}

export function paceOf({ perMinute, burst }: Rate): Pace {
  const unitMs = MINUTE_MS / perMinute;
  return { perMinute, burst, unitMs, burstMs: Math.ceil(burst * unitMs - TOLERANCE_MS) };
}

/** Whether an allowance of `ms` pays for one request. */
export function pays(ms: number, { unitMs }: Pace): boolean {
  return ms + TOLERANCE_MS >= unitMs;
}

/** One scope's state in the memory of this process, on its monotonic clock. */
export class Bucket {
  private tat = Number.NEGATIVE_INFINITY;

  /** Counts a request. Returns 0 where it may pass, otherwise in how many ms one may; what may not pass counts nothing. */
  take(now: number, pace: Pace): number {
    const wait = this.wait(now, pace);
    if (wait === 0) this.tat = this.clamped(now, pace) + pace.unitMs;
    return wait;
  }

  /** In how many ms a request may pass; 0 is now. */
  wait(now: number, pace: Pace): number {
    const spareMs = this.spareMs(now, pace);
    return pays(spareMs, pace) ? 0 : pace.unitMs - spareMs;
  }

  /** What is left of the burst, in ms. */
  spareMs(now: number, pace: Pace): number {
    return now + pace.burstMs - this.clamped(now, pace);
  }

  /** Others have left only so much of the burst. */
  leave(spareMs: number, now: number, pace: Pace): void {
    this.tat = Math.max(this.tat, now + pace.burstMs - spareMs);
  }

  /** Never further ahead than the burst, whatever was counted under another limit. */
  private clamped(now: number, pace: Pace): number {
    return Math.min(Math.max(this.tat, now), now + pace.burstMs);
  }
}
