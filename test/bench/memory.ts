/** Resident memory of a process. On Linux from /proc; elsewhere it is shown as not measured. */
import { readFileSync } from 'node:fs';

const KIB_PER_MIB = 1_024;

/** In MiB, or null where it cannot be told. */
export function residentMemory(pid: number): number | null {
  try {
    const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return kib === undefined ? null : Number(kib) / KIB_PER_MIB;
  } catch {
    return null;
  }
}
