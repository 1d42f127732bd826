/**
 * A measure with two bounds: shut when it reaches the upper one, open again when it has fallen to the lower one. With one bound
 * alone, every request that is sent away would lower the measure just enough to let the next one in.
 */
export class Valve {
  private shut = false;

  constructor(
    /** Reached: shut. */
    private readonly upper: number,
    /** Reached again: open. Below the upper bound. */
    private readonly lower: number,
  ) {}

  /** Whether it is shut at this value. */
  isShutAt(value: number): boolean {
    this.shut = this.shut ? value > this.lower : value >= this.upper;
    return this.shut;
  }
}
