/**
 * Draws from the backlog: tasks that have no doorbell message, because the window was full, Redis is away, or a message was
 * lost. It shares the slots with the readers, goes on at once while it finds something, and otherwise looks every few seconds
 * and whenever a door runs dry. Lanes take turns as at the door; inside a lane it rotates over queues and tenants, so that one
 * tenant's million tasks do not come before another's ten.
 */
import { Loop, type Clock, type Loops } from '@app/lifecycle';
import { laneOrder, type Lane } from '@app/queue';
import type { Backlog, TaskClaimer } from '@app/tasks';
import type { Logger } from '@app/telemetry';
import type { Intake } from './intake.js';

/** How many places one look takes in. More wait for the next; the rotation reaches them. */
const PLACES_MAX = 256;
const TICK_MS = 60_000;
const WAKE_EVERY_MS = 100;

export class Drawer {
  private readonly loop: Loop;
  private turn = 0;
  private readonly next = new Map<Lane, number>();
  private wokenAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly claimer: TaskClaimer,
    private readonly intake: Intake,
    private readonly queues: readonly string[] | null,
    private readonly clock: Clock,
    private readonly loops: Loops,
    intervalMs: number,
    logger: Logger,
  ) {
    this.loop = new Loop({
      name: 'worker.drawer',
      intervalMs,
      tickMs: TICK_MS,
      clock,
      tick: async (signal) => ({ again: await this.draw(signal) }),
      onError: (err, failures) => {
        if (failures === 1) logger.warn({ err }, 'Drawing from the backlog failed; trying again.');
      },
    });
  }

  start(): void {
    this.loops.run(this.loop);
  }

  async stop(): Promise<void> {
    await this.loops.stop(this.loop);
  }

  /** A look now, but not too often: doors run dry after every lonely task. */
  wake(): void {
    if (this.clock.monotonic() - this.wokenAt < WAKE_EVERY_MS) return;
    this.wokenAt = this.clock.monotonic();
    this.loop.wake();
  }

  /** Whether it found something, so that looking again at once is worth it. */
  private async draw(signal: AbortSignal): Promise<boolean> {
    if (!(await this.intake.ready(signal))) return !signal.aborted;
    const places = (await this.claimer.backlog(this.queues, PLACES_MAX)).filter(
      ({ tenant, queue }) => !this.intake.isPaused(tenant, queue),
    );
    if (places.length === 0) return false;
    this.turn += 1;
    let found = 0;
    for (const lane of laneOrder(this.turn)) {
      const members = places.filter((place) => place.lane === lane);
      found += await this.drawLane(lane, members, signal);
    }
    return found > 0;
  }

  private async drawLane(lane: Lane, members: readonly Backlog[], signal: AbortSignal): Promise<number> {
    if (members.length === 0) return 0;
    const first = (this.next.get(lane) ?? 0) % members.length;
    this.next.set(lane, first + 1);
    let found = 0;
    for (let step = 0; step < members.length && !signal.aborted; step += 1) {
      const place = members[(first + step) % members.length];
      const share = Math.ceil(this.intake.slots.free / (members.length - step));
      const reserved = this.intake.slots.reserve(share);
      if (place === undefined || reserved === 0) break;
      found += await this.intake.takeBacklog(place, reserved);
    }
    return found;
  }
}
