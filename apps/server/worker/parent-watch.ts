/**
 * What a process that works for a worker sees of it: whether it is there, whether it is gone, and whether it stands still for so long that
 * its lease is about to end. A process that is stopped by a signal can tell nobody, so those it started look for themselves, at its state
 * in /proc; where there is none (macOS) only its end is noticed. It loads no package: every isolate pays for what is here.
 */
import { readFileSync } from 'node:fs';

/** Share of a lease after which a worker that stands still is given up: its last heartbeat was sent up to a fifth of a lease before. */
export const FROZEN_SHARE = 0.6;
/** How often whoever watches should look, in ms. */
export const LOOK_EVERY_MS = 200;

export class ParentWatch {
  private frozenSince: number | null = null;

  /** `frozenMs`: for how long the parent may stand still. */
  constructor(
    private readonly parentPid: number,
    private readonly frozenMs: number,
  ) {}

  /** True where nobody may go on in the parent's name; to be asked every `LOOK_EVERY_MS`. */
  isOver(): boolean {
    if (process.ppid !== this.parentPid) return true;
    if (!isStopped(this.parentPid)) {
      this.frozenSince = null;
      return false;
    }
    this.frozenSince ??= performance.now();
    return performance.now() - this.frozenSince >= this.frozenMs;
  }
}

/** Whether a process was stopped by a signal; false where that cannot be known. */
function isStopped(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return /^[Tt]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}
