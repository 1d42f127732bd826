/**
 * Decides from looks at a counter, which the main loop advances, how long that loop has stood still, and what follows: once per
 * standstill a warning, and at the limit the end. A look that comes late was itself held up (a suspended machine, a frozen
 * process), and the main loop with it: it vouches for no more than two intervals.
 */
export interface StandstillOptions {
  /** How often `look` is called, in ms. */
  everyMs: number;
  warnMs: number;
  stallMs: number;
  /** How often the main loop has turned. */
  turns: () => number;
  /** Milliseconds that only grow. */
  clock: () => number;
  onWarn(stalledMs: number): void;
  onStall(stalledMs: number): void;
}

const LATE_FACTOR = 2;

export class Standstill {
  private seen: number;
  private lookedAt: number;
  private stoodMs = 0;
  private warned = false;
  private ending = false;

  constructor(private readonly options: StandstillOptions) {
    this.seen = options.turns();
    this.lookedAt = options.clock();
  }

  look(): void {
    const { everyMs, warnMs, stallMs, turns, clock } = this.options;
    const now = clock();
    const passed = Math.min(now - this.lookedAt, everyMs * LATE_FACTOR);
    this.lookedAt = now;
    const current = turns();
    if (current !== this.seen) {
      this.seen = current;
      this.stoodMs = 0;
      this.warned = false;
      return;
    }
    this.stoodMs += passed;
    if (this.stoodMs >= warnMs && !this.warned) {
      this.warned = true;
      this.options.onWarn(Math.round(this.stoodMs));
    }
    if (this.stoodMs >= stallMs && !this.ending) {
      this.ending = true;
      this.options.onStall(Math.round(this.stoodMs));
    }
  }
}
