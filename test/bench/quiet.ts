/**
 * Waits until this machine has nothing left to do. What was measured before leaves work behind, pages to write and versions to clear
 * away, and a latency that is measured meanwhile is that of an installation that was flooded a moment ago. The servers of all
 * contenders do this in their own way, so it is the machine that is watched: its processors, and what it writes.
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';

const LOOK_MS = 1_000;
/** In a row: Linux looks every five seconds for pages to write. */
const QUIET_LOOKS = 6;
/** Whoever shares the machine with something else measures all the same. */
const LOOKS_MAX = 90;
/** Of one processor. An installation without tasks takes a part of this. */
const BUSY_MAX = 0.15;
const WRITTEN_BYTES_MAX = 256 * 1024;
const SECTOR_BYTES = 512;

/** Since some moment in the past; only differences mean something. */
export interface Work {
  /** Of all processors. */
  readonly busyMs: number;
  /** By device; a disk counts what its partitions write once more. */
  readonly writtenBytes: ReadonlyMap<string, number>;
}

/** Resolves to true when some seconds were quiet, or to false after a minute and a half. */
export async function quiet(): Promise<boolean> {
  let before = work();
  for (let [look, inRow] = [0, 0]; look < LOOKS_MAX; look += 1) {
    await pause(LOOK_MS);
    const after = work();
    inRow = isQuiet(before, after) ? inRow + 1 : 0;
    if (inRow === QUIET_LOOKS) return true;
    before = after;
  }
  return false;
}

/** Of readings that are a second apart. */
export function isQuiet(before: Work, after: Work): boolean {
  const written = [...after.writtenBytes].map(([device, bytes]) => bytes - (before.writtenBytes.get(device) ?? 0));
  return after.busyMs - before.busyMs < BUSY_MAX * LOOK_MS && written.every((bytes) => bytes < WRITTEN_BYTES_MAX);
}

function work(): Work {
  const busy = cpus().map(({ times: { user, nice, sys, irq } }) => user + nice + sys + irq);
  return {
    busyMs: busy.reduce((sum, ms) => sum + ms, 0),
    writtenBytes: process.platform === 'linux' ? writtenBytes(readFileSync('/proc/diskstats', 'latin1')) : new Map(),
  };
}

/** Of each device the name and the sectors written: the third and the tenth word (Documentation/admin-guide/iostats.rst of Linux). */
export function writtenBytes(diskstats: string): Map<string, number> {
  const lines = diskstats.split('\n').map((line) => line.trim().split(/\s+/));
  return new Map(lines.filter(({ length }) => length >= 10).map((words) => [words[2] ?? '', Number(words[9]) * SECTOR_BYTES]));
}
