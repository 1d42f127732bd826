/**
 * A warning about something that fails again and again, as everything does while a server is away: the first is written at once,
 * then one line per half minute at most, which tells how many were left out. A log that is flooded during an outage hides it.
 */
import type { Logger } from './logger.js';

const EVERY_MS = 30_000;

/** Returns a function that writes a warning with the given fields. `now` is a monotonic time in ms. */
export function repeatedLine(
  logger: Pick<Logger, 'warn'>,
  now: () => number,
  message: string,
): (fields: Readonly<Record<string, unknown>>) => void {
  let writtenAt = Number.NEGATIVE_INFINITY;
  let leftOut = 0;
  return (fields) => {
    if (now() - writtenAt < EVERY_MS) {
      leftOut += 1;
      return;
    }
    logger.warn({ ...fields, ...(leftOut > 0 && { leftOut }) }, message);
    writtenAt = now();
    leftOut = 0;
  };
}

/** The same for an error without further fields. */
export function repeatedWarning(logger: Pick<Logger, 'warn'>, now: () => number, message: string): (err: unknown) => void {
  const line = repeatedLine(logger, now, message);
  return (err) => {
    line({ err });
  };
}
