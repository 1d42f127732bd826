/**
 * Writes down when a handler was started, as pairs of numbers (the task's number, the machine's monotonic clock in ms). They are
 * collected in memory and appended to a file every few milliseconds, so that counting costs next to nothing and asks nobody.
 */
import { openSync, writeSync } from 'node:fs';

const FLUSH_MS = 5;
const file = openSync(process.env.BENCH_ARRIVALS, 'a');
let pairs = [];

function flush() {
  writeSync(file, new Uint8Array(Float64Array.from(pairs).buffer));
  pairs = [];
}

export function recordArrival(number) {
  const [seconds, nanoseconds] = process.hrtime();
  if (pairs.length === 0) setTimeout(flush, FLUSH_MS);
  pairs.push(number, seconds * 1e3 + nanoseconds / 1e6);
}
