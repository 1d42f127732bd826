/**
 * The base of everything that turns for ever. A loop runs its tick, then arms itself again: ticks never overlap, however
 * long one takes. A tick that throws is counted, reported and tried again after a growing pause, so that a dependency that
 * is away is neither hammered nor forgotten; nothing a tick throws can end the loop. A loop that has been silent for too
 * long says so (`healthy`), and the liveness probe ends the process: a loop nobody watches is a loop that stopped months ago.
 */
import { TaskRunnerError } from '@app/errors';
import type { Clock } from './clock.js';
import { DeadlineExceeded } from './deadline.js';

/** Where a loop keeps its pending timer; the scheduler role keeps them in Nest's SchedulerRegistry. */
export interface Timers {
  arm(name: string, delayMs: number, run: () => void): void;
  disarm(name: string): void;
}

/** Plain Node timers that never keep the process alive on their own. */
export class NodeTimers implements Timers {
  private readonly pending = new Map<string, NodeJS.Timeout>();

  arm(name: string, delayMs: number, run: () => void): void {
    this.disarm(name);
    const timer = setTimeout(() => {
      this.pending.delete(name);
      run();
    }, delayMs);
    this.pending.set(name, timer.unref());
  }

  disarm(name: string): void {
    clearTimeout(this.pending.get(name));
    this.pending.delete(name);
  }
}

export interface LoopOptions {
  name: string;
  /** Pause between the end of a tick and the start of the next, in ms. */
  intervalMs: number;
  /**
   * A tick that takes longer than this makes the loop unhealthy, in ms. Null for one that may wait for as long as it takes (for
   * a free slot, for a database that is away): a probe that ended the process for waiting would only add to the trouble.
   */
  tickMs: number | null;
  /** Runs once. `again: true` skips the pause: there is more of the same. Honour the signal: it fires when the loop stops. */
  tick(signal: AbortSignal): Promise<{ again: boolean } | void>;
  /** What it throws itself is lost. */
  onError(error: unknown, failuresInARow: number): void;
  /** Whether something else is away, which a restart of this process would not cure; by default what is `unavailable`, or too slow. */
  isOutage?(error: unknown): boolean;
  clock: Clock;
  timers?: Timers;
  /** 0 ≤ random() < 1; spreads replicas that started together. */
  random?: () => number;
}

export interface LoopReport {
  name: string;
  healthy: boolean;
  /** Ms since a tick last ended, well or not, or since the start. */
  silentMs: number;
  failuresInARow: number;
  /** Failures since the last success that no outage explains. */
  faultsInARow: number;
  /** All failures so far. */
  failures: number;
}

const BACKOFF_MS_MAX = 10_000;
const SILENCE_FACTOR = 3;

function isAway(error: unknown): boolean {
  return error instanceof DeadlineExceeded || (error instanceof TaskRunnerError && error.kind === 'unavailable');
}

export class Loop {
  private readonly timers: Timers;
  private readonly random: () => number;
  private abort: AbortController | null = null;
  private running: Promise<void> | null = null;
  private failures = 0;
  private faults = 0;
  private failuresEver = 0;
  private lastEnd = 0;
  private wakeWanted = false;

  constructor(private readonly options: LoopOptions) {
    this.timers = options.timers ?? new NodeTimers();
    this.random = options.random ?? Math.random;
  }

  start(): void {
    if (this.abort !== null) return;
    this.abort = new AbortController();
    this.lastEnd = this.options.clock.monotonic();
    // A tick from before the last stop may still be under way; it arms the next one when it ends.
    if (this.running === null) this.arm(Math.round(this.random() * Math.min(this.options.intervalMs, 1_000)));
  }

  /** Runs the next tick at once, or once more right after the one under way. */
  wake(): void {
    if (this.abort === null) return;
    this.wakeWanted = true;
    if (this.running === null) this.arm(0);
  }

  /** Arms no further tick, signals the one under way and waits for its end. */
  async stop(): Promise<void> {
    this.abort?.abort();
    this.abort = null;
    this.timers.disarm(this.options.name);
    await this.running;
  }

  report(): LoopReport {
    const silentMs = this.abort === null ? 0 : this.options.clock.monotonic() - this.lastEnd;
    const { intervalMs, tickMs } = this.options;
    const bound = tickMs === null ? Number.POSITIVE_INFINITY : SILENCE_FACTOR * (intervalMs + tickMs) + BACKOFF_MS_MAX;
    return {
      name: this.options.name,
      healthy: silentMs <= bound,
      silentMs,
      failuresInARow: this.failures,
      faultsInARow: this.faults,
      failures: this.failuresEver,
    };
  }

  private arm(delayMs: number): void {
    this.timers.arm(this.options.name, delayMs, () => {
      this.running = Promise.resolve().then(() => this.turn());
    });
  }

  private async turn(): Promise<void> {
    const again = this.abort === null ? false : await this.tick(this.abort.signal);
    // Together with the arming, or a wake in between would find a loop that neither runs nor waits.
    this.running = null;
    if (this.abort !== null) this.arm(this.pause(again || this.wakeWanted));
  }

  private async tick(signal: AbortSignal): Promise<boolean> {
    this.wakeWanted = false;
    try {
      const end = await this.options.tick(signal);
      this.failures = 0;
      this.faults = 0;
      return end?.again ?? false;
    } catch (error) {
      if (!signal.aborted) this.fail(error);
      return false;
    } finally {
      this.lastEnd = this.options.clock.monotonic();
    }
  }

  private fail(error: unknown): void {
    this.failures += 1;
    this.failuresEver += 1;
    const { isOutage = isAway } = this.options;
    if (!isOutage(error)) this.faults += 1;
    try {
      this.options.onError(error, this.failures);
    } catch {
      // The loop outlives a reporter that is broken as well.
    }
  }

  private pause(again: boolean): number {
    if (this.failures > 0) {
      const ceiling = Math.min(BACKOFF_MS_MAX, this.options.intervalMs * 2 ** Math.min(this.failures, 16));
      return Math.round(ceiling * (0.5 + this.random() / 2));
    }
    if (again) return 0;
    return Math.round(this.options.intervalMs * (0.9 + this.random() * 0.2));
  }
}
