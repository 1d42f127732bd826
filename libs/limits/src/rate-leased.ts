/**
 * What one process has leased for one scope and not used yet. A block ends with its lease, but not all of what is left of it is lost: a
 * hundredth of the burst is kept until it is used. Most who send requests send few, and a block that died with its lease would cost
 * each of their requests a statement. What is kept is counted already; so a process adds to a limit no more than this once, however long it
 * has been keeping it.
 */
import type { Pace } from './rate-pace.js';

interface Block {
  us: number;
  /** When its lease is over, by the monotonic clock, in ms. */
  until: number;
}

export class Leased {
  private readonly current: Block = { us: 0, until: 0 };
  private readonly next: Block = { us: 0, until: 0 };
  private keptUs = 0;

  /** What could be spent now, in µs; never rounded to whole requests. */
  leftUs(now: number, pace: Pace): number {
    this.lapse(now, pace);
    return this.current.us + this.next.us + this.keptUs;
  }

  /** Uses up one request. False where there is none. */
  spend(now: number, pace: Pace): boolean {
    const { unitUs } = pace;
    this.lapse(now, pace);
    if (this.current.us >= unitUs) this.current.us -= unitUs;
    else if (this.next.us >= unitUs) this.next.us -= unitUs;
    else if (this.keptUs >= unitUs) this.keptUs -= unitUs;
    else return false;
    return true;
  }

  /** A request that was spent did not happen. */
  unspend(now: number, pace: Pace): void {
    this.lapse(now, pace);
    if (this.current.until > now) this.current.us += pace.unitUs;
    else this.keep(pace.unitUs, pace);
  }

  add(us: number, until: number, now: number, pace: Pace): void {
    this.lapse(now, pace);
    const free = this.current.us < pace.unitUs ? this.current : this.next;
    this.keep(free.us, pace);
    free.us = us;
    free.until = until;
  }

  private lapse(now: number, pace: Pace): void {
    this.end(this.current, now, pace);
    this.end(this.next, now, pace);
    // The limit may have been lowered since.
    if (this.keptUs > pace.reserveUs) this.keptUs = pace.reserveUs;
  }

  private end(block: Block, now: number, pace: Pace): void {
    if (block.us === 0 || block.until > now) return;
    this.keep(block.us, pace);
    block.us = 0;
  }

  private keep(us: number, { reserveUs }: Pace): void {
    this.keptUs = Math.min(reserveUs, this.keptUs + us);
  }
}
