/**
 * Reads points in time. Only ISO 8601 with seconds and an explicit offset is taken, and only where the calendar really has
 * that moment: `Date` would read 30 February as 2 March and nobody would ever notice.
 */

const FORM = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/;
const MIN = Date.UTC(2000, 0, 1);
const MAX = Date.UTC(2100, 0, 1);
const MINUTE_MS = 60_000;
const OFFSET_MINUTES_MAX = 14 * 60;

/** @returns ms since the epoch, fractions below a millisecond cut off; null where the text is not such a moment between the years 2000 and 2100. */
export function parseInstant(text: unknown): number | null {
  const parts = typeof text === 'string' ? FORM.exec(text) : null;
  if (parts === null) {
    return null;
  }
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.slice(1, 7).map(Number);
  const milliseconds = Number((parts[7] ?? '').padEnd(3, '0').slice(0, 3));
  const local = Date.UTC(year, month - 1, day, hour, minute, second, milliseconds);
  const read = new Date(local);
  const sameDay = read.getUTCFullYear() === year && read.getUTCMonth() === month - 1 && read.getUTCDate() === day;
  const sameTime = read.getUTCHours() === hour && read.getUTCMinutes() === minute && read.getUTCSeconds() === second;
  const offset = offsetMinutes(parts[8] ?? 'Z');
  if (!sameDay || !sameTime || offset === null) {
    return null;
  }
  const instant = local - offset * MINUTE_MS;
  return instant >= MIN && instant < MAX ? instant : null;
}

/** The moment that was written last: the times of a new task are one and the same, and those of its neighbours too. */
let written = { ms: 0, text: new Date(0).toISOString() };

/** `Z` on the wire, milliseconds always. */
export function formatInstant(ms: number): string {
  if (ms !== written.ms) written = { ms, text: new Date(ms).toISOString() };
  return written.text;
}

function offsetMinutes(text: string): number | null {
  if (text === 'Z') {
    return 0;
  }
  const hours = Number(text.slice(1, 3));
  const minutes = Number(text.slice(4, 6));
  const total = hours * 60 + minutes;
  if (minutes > 59 || total > OFFSET_MINUTES_MAX) {
    return null;
  }
  return text.startsWith('-') ? -total : total;
}
