/**
 * A thread in the process of an isolated handler that ends the process, and everything that was started from it, when the worker
 * is gone, when it stands still for so long that its lease is about to end, or when the process uses too much memory. It is a
 * thread because the handler may keep the main thread busy for ever.
 */
import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { LOOK_EVERY_MS, ParentWatch } from '../parent-watch.js';
import { OUT_OF_MEMORY } from './isolate.js';
import type { IsolateStart } from './messages.js';

const STDERR = 2;
const MIB = 1_048_576;
/** What a process uses besides the memory that its handler was granted: the program itself, its code and young objects. */
const OVERHEAD_MB = 192;

const { parentPid, frozenMs, memoryMb } = workerData as IsolateStart;
const worker = new ParentWatch(parentPid, frozenMs);

function look(): void {
  if (worker.isOver()) end();
  if (process.memoryUsage.rss() > (memoryMb + OVERHEAD_MB) * MIB) end(OUT_OF_MEMORY);
}

function end(lastWords?: string): void {
  try {
    if (lastWords !== undefined) writeSync(STDERR, `${lastWords}\n`);
  } finally {
    process.kill(-process.pid, 'SIGKILL');
  }
}

look();
setInterval(look, LOOK_EVERY_MS);
parentPort?.postMessage('watching');
