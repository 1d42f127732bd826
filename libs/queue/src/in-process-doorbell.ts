/**
 * The doorbell of a process that is its own only worker. Bounded by the same window as the Redis one, so the code above it
 * walks the same path: what does not fit is stored unrung and claimed from the database. It dies with the process; the
 * embedded start offers everything queued again.
 */
import type { Clock } from '@app/lifecycle';
import { pause } from '@app/lifecycle';
import { Doorbell, type Condition, type Delivery, type DoorbellReader, type Position, type ReadOptions, type Ring } from './doorbell.js';
import { LANES, type Lane } from './lanes.js';

interface Message extends Ring {
  rungAt: number;
  /** The same moment by the clock that nobody sets. */
  since: number;
}

class LaneState {
  readonly waiting: Message[] = [];
  delivered = 0;
  lastDeliveredAt: number | null = null;
  readonly outstanding = new Map<string, number>();

  count(tenant: string, change: number): void {
    const tasks = (this.outstanding.get(tenant) ?? 0) + change;
    if (tasks > 0) this.outstanding.set(tenant, tasks);
    else this.outstanding.delete(tenant);
  }
}

export class InProcessDoorbell extends Doorbell {
  private readonly lanes = new Map<string, LaneState>();
  private readonly sleepers = new Map<string, Set<() => void>>();

  constructor(
    private readonly window: number,
    private readonly clock: Clock,
  ) {
    super();
  }

  admits(tenant: string, queue: string, lane: Lane, tasks: number): boolean {
    return (this.lane(queue, lane).outstanding.get(tenant) ?? 0) + tasks <= this.window;
  }

  ring(rings: readonly Ring[]): Promise<void> {
    for (const ring of rings) {
      const state = this.lane(ring.queue, ring.lane);
      state.count(ring.tenant, ring.ids.length);
      state.waiting.push({ ...ring, rungAt: this.clock.now(), since: this.clock.monotonic() });
      this.sleepers.get(ring.queue)?.forEach((wake) => {
        wake();
      });
    }
    return Promise.resolve();
  }

  open(queue: string, _consumer: string): DoorbellReader {
    const closed = new AbortController();
    return {
      read: (options) => this.read(queue, options, closed.signal),
      finish: (deliveries) => {
        for (const delivery of deliveries) {
          const state = this.lane(delivery.queue, delivery.lane);
          state.delivered -= 1;
          state.count(delivery.tenant, -delivery.ids.length);
        }
        return Promise.resolve();
      },
      close: () => {
        closed.abort();
        return Promise.resolve();
      },
    };
  }

  position(queue: string, lane: Lane): Promise<Position | null> {
    const state = this.lane(queue, lane);
    return Promise.resolve({
      length: state.waiting.length + state.delivered,
      lastDeliveredAt: state.lastDeliveredAt,
      now: this.clock.now(),
    });
  }

  tidy(): Promise<void> {
    return Promise.resolve();
  }

  answers(): Promise<boolean> {
    return Promise.resolve(true);
  }

  condition(): Promise<Condition> {
    return Promise.resolve({ trouble: null, advice: null });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private async read(queue: string, options: ReadOptions, closed: AbortSignal): Promise<Delivery[]> {
    const stops = [options.signal, closed];
    const isStopped = (): boolean => stops.some((signal) => signal.aborted);
    if (isStopped()) return [];
    const found = this.take(queue, options);
    if (found.length > 0 || options.blockMs === 0) return found;
    const wake = new AbortController();
    const end = (): void => {
      wake.abort();
    };
    const sleepers = this.sleepers.get(queue) ?? new Set();
    this.sleepers.set(queue, sleepers.add(end));
    for (const signal of stops) signal.addEventListener('abort', end);
    await pause(options.blockMs, wake.signal);
    for (const signal of stops) signal.removeEventListener('abort', end);
    sleepers.delete(end);
    return isStopped() ? [] : this.take(queue, options);
  }

  private take(queue: string, options: ReadOptions): Delivery[] {
    const taken: Delivery[] = [];
    let room = options.tasks;
    for (const lane of options.lanes) {
      const state = this.lane(queue, lane);
      while (room > 0 && state.waiting.length > 0) {
        const message = state.waiting.shift();
        if (message === undefined) break;
        room -= message.ids.length;
        state.delivered += 1;
        state.lastDeliveredAt = message.rungAt;
        taken.push({ ...message, waitedMs: this.clock.monotonic() - message.since, receipt: null });
      }
    }
    return taken;
  }

  private lane(queue: string, lane: Lane): LaneState {
    const key = `${LANES.indexOf(lane)}:${queue}`;
    let state = this.lanes.get(key);
    if (state === undefined) {
      state = new LaneState();
      this.lanes.set(key, state);
    }
    return state;
  }
}
