/**
 * Waits until this machine has nothing left to do. What was measured before leaves work behind, pages to write and versions to clear
 * away, and a latency that is measured meanwhile is that of an installation that was flooded a moment ago. The servers of all
 * contenders do this in their own way, so it is the machine that is watched: its processors, and what it writes.
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';

const LOOK_MS = 1_000;
/** Whoever shares the machine with something else measures all the same. */
const LOOKS_MAX = 60;
/** Of one processor. An installation without tasks takes a part of this. */
const BUSY_MAX = 0.15;
const WRITTEN_BYTES_MAX = 256 * 1024;
const SECTOR_BYTES = 512;

/** Since some moment in the past; only differences mean something. */
export interface Work {
  /** Of all processors. */
  readonly busyMs: number;
  readonly writtenBytes: number;
}

/** Resolves when a second was quiet, or after a minute. */
export async function quiet(): Promise<void> {
  let before = work();
  for (let look = 0; look < LOOKS_MAX; look += 1) {
    await pause(LOOK_MS);
    const after = work();
    if (isQuiet(before, after)) return;
    before = after;
  }
}

/** Of readings that are a second apart. */
export function isQuiet(before: Work, after: Work): boolean {
  return after.busyMs - before.busyMs < BUSY_MAX * LOOK_MS && after.writtenBytes - before.writtenBytes < WRITTEN_BYTES_MAX;
}

function work(): Work {
  const busy = cpus().map(({ times: { user, nice, sys, irq } }) => user + nice + sys + irq);
  return { busyMs: busy.reduce((sum, ms) => sum + ms, 0), writtenBytes: process.platform === 'linux' ? writtenBytes(disks()) : 0 };
}

const disks = (): string => readFileSync('/proc/diskstats', 'latin1');

/** By the busiest device: a disk counts what its partitions write once more (Documentation/admin-guide/iostats.rst of Linux: the tenth word, in sectors). */
export function writtenBytes(diskstats: string): number {
  const sectors = diskstats
    .trim()
    .split('\n')
    .map((line) => Number(line.trim().split(/\s+/)[9] ?? 0));
  return Math.max(0, ...sectors) * SECTOR_BYTES;
}
