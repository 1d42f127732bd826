/**
 * A warning about something that fails again and again, as everything does while a server is away: the first is written at once,
 * then one line per half minute at most, which tells how many were left out. A log that is flooded during an outage hides it.
 */
import type { Logger } from './logger.js';

const EVERY_MS = 30_000;

/** Returns a function that warns of an error. `now` is a monotonic time in ms. */
export function repeatedWarning(logger: Pick<Logger, 'warn'>, now: () => number, message: string): (err: unknown) => void {
  let writtenAt = Number.NEGATIVE_INFINITY;
  let leftOut = 0;
  return (err) => {
    if (now() - writtenAt < EVERY_MS) {
      leftOut += 1;
      return;
    }
    logger.warn({ err, ...(leftOut > 0 && { leftOut }) }, message);
    writtenAt = now();
    leftOut = 0;
  };
}
