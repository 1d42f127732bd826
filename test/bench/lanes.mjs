/**
 * The load, the same for every contender: so many lanes, each with at most one request in flight, as fast as the answers come or
 * at a pace. Plain JavaScript, because it also runs in processes that know nothing of this project.
 */
import { setTimeout as pause } from 'node:timers/promises';

/** The machine's monotonic clock in ms: the same in every process, unlike `performance.now()`. */
export function clockMs() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

const REAL_TIME = { now: clockMs, pause };

/**
 * Calls `send(request, lane)` for each request and resolves with when it was due and how long its answer took, in ms. Rejects with
 * the first refusal.
 */
export async function runLanes({ requests, lanes, requestsPerSecond }, send, time = REAL_TIME) {
  const dueAt = new Float64Array(requests);
  const answeredMs = new Float64Array(requests);
  const startedAt = time.now();
  let next = 0;
  const run = async (_unused, lane) => {
    while (next < requests) {
      const request = next;
      next += 1;
      dueAt[request] = await turnOf(requestsPerSecond, startedAt, request, time);
      await send(request, lane);
      answeredMs[request] = time.now() - dueAt[request];
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanes, requests) }, run));
  return { startedAt, dueAt, answeredMs };
}

/**
 * When the request counts as begun. At a pace that is when it was due, if no lane was free by then: a server that stalls must not
 * hide the requests it delays. A late timer of this process is no fault of the server's and is left out.
 */
async function turnOf(requestsPerSecond, startedAt, request, { now, pause }) {
  if (requestsPerSecond === null) return now();
  const due = startedAt + (request * 1_000) / requestsPerSecond;
  const early = due - now();
  if (early <= 0) return due;
  await pause(early);
  return now();
}
