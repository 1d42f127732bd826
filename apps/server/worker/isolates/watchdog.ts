/**
 * A thread in the process of an isolated handler that ends the process, and everything that was started from it, when the worker
 * is gone, when it stands still for so long that its lease is about to end, or when the process uses too much memory. It is a
 * thread because the handler may keep the main thread busy for ever. A process that is frozen cannot tell its children, so they
 * look: the state of the worker is read from /proc, and where there is none (macOS) only its end is noticed.
 */
import { readFileSync, writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { OUT_OF_MEMORY } from './isolate.js';
import type { IsolateStart } from './messages.js';

const LOOK_EVERY_MS = 200;
const STDERR = 2;
const MIB = 1_048_576;
/** What a process uses besides the memory that its handler was granted: the program itself, its code and young objects. */
const OVERHEAD_MB = 192;

const { parentPid, frozenMs, memoryMb } = workerData as IsolateStart;
let frozenSince: number | null = null;

function look(): void {
  if (process.ppid !== parentPid) end();
  if (process.memoryUsage.rss() > (memoryMb + OVERHEAD_MB) * MIB) end(OUT_OF_MEMORY);
  if (!isFrozen()) frozenSince = null;
  else if (performance.now() - (frozenSince ??= performance.now()) >= frozenMs) end();
}

/** Whether the worker was stopped by a signal; false where that cannot be known. */
function isFrozen(): boolean {
  try {
    const stat = readFileSync(`/proc/${parentPid}/stat`, 'latin1');
    return /^[Tt]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
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
