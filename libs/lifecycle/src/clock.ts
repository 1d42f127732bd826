/**
 * The process's own clock, injected so that tests decide what time it is. It times waits and intervals; it never decides
 * about stored times: those are written and compared by the database's clock.
 */
export abstract class Clock {
  /** Milliseconds since the epoch, UTC; may jump when the wall clock is set. */
  abstract now(): number;
  /** Milliseconds that only ever grow; for durations and deadlines inside this process. */
  abstract monotonic(): number;
}

export class SystemClock extends Clock {
  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }
}
