/**
 * How late the event loop is: by how much a timer missed its time, again and again. The median of the last few is what counts; a
 * single pause, however long, is over when somebody could be sent away for it. Node's own histogram of delays is of no use here:
 * it has to be reset to forget, and resetting it loses the delay that is just happening, which is the one that matters.
 */
import { NodeTimers, type Clock, type Timers } from '@app/lifecycle';

const EVERY_MS = 100;
const KEPT = 7;

export class LoopDelay {
  private readonly delays: number[] = [];
  private median = 0;

  constructor(
    private readonly clock: Clock,
    private readonly onSample: () => void,
    private readonly timers: Timers = new NodeTimers(),
  ) {}

  start(): void {
    const dueAt = this.clock.monotonic() + EVERY_MS;
    this.timers.arm('overload.delay', EVERY_MS, () => {
      this.delays.push(Math.max(0, this.clock.monotonic() - dueAt));
      if (this.delays.length > KEPT) this.delays.shift();
      if (this.delays.length === KEPT) this.median = medianOf(this.delays);
      this.onSample();
      this.start();
    });
  }

  stop(): void {
    this.timers.disarm('overload.delay');
  }

  /** 0 until there are enough samples. */
  get medianMs(): number {
    return this.median;
  }
}

/** Of an odd number of values. */
function medianOf(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[(values.length - 1) / 2] ?? 0;
}
