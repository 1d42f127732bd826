/**
 * Draws from the backlog: tasks that have no doorbell message, because the window was full, Redis is away, or a message was
 * lost. It shares the slots with the readers, goes on at once while it finds something, and otherwise looks every few seconds
 * and whenever a door runs dry. Lanes take turns as at the door; inside a lane it rotates over queues and tenants, so that one
 * tenant's million tasks do not come before another's ten.
 */
import { Inject, Injectable } from '@nestjs/common';
import { Config } from '@app/config';
import { Clock, Loop, Loops } from '@app/lifecycle';
import { laneOrder, type Lane } from '@app/queue';
import { TaskClaimer, type Backlog } from '@app/tasks';
import { Logger } from '@app/telemetry';
import { Intake } from './intake.js';

/** How many places one look takes in. */
const PLACES_MAX = 256;
/** How long the places of a look serve while they still yield; new ones wait that long at most. */
const PLACES_MS = 1_000;
const WAKE_EVERY_MS = 100;

/** What the drawer needs of the intake. */
type DrawnInto = Pick<Intake, 'ready' | 'isPaused' | 'takeBacklog'> & { readonly slots: Pick<Intake['slots'], 'free' | 'reserve'> };

@Injectable()
export class Drawer {
  private readonly loop: Loop;
  private turn = 0;
  /** The place of each lane that was served last. */
  private readonly served = new Map<Lane, Backlog>();
  private wokenAt = Number.NEGATIVE_INFINITY;
  private waking: NodeJS.Timeout | null = null;
  private places: readonly Backlog[] = [];
  private lookedAt = Number.NEGATIVE_INFINITY;

  private readonly queues: readonly string[] | null;

  constructor(
    @Inject(Config) config: Pick<Config, 'workerQueues' | 'workerPollMs'>,
    @Inject(TaskClaimer) private readonly claimer: Pick<TaskClaimer, 'backlog'>,
    @Inject(Intake) private readonly intake: DrawnInto,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Loops) private readonly loops: Loops,
    @Inject(Logger) logger: Logger,
  ) {
    this.queues = config.workerQueues === '*' ? null : config.workerQueues;
    this.loop = new Loop({
      name: 'worker.drawer',
      intervalMs: config.workerPollMs,
      tickMs: null,
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

  /** A look now, but not too often: doors run dry after every lonely task. A wake that comes too soon is put off, not lost. */
  wake(): void {
    if (this.waking !== null) return;
    const wait = Math.max(0, WAKE_EVERY_MS - (this.clock.monotonic() - this.wokenAt));
    this.waking = setTimeout(() => {
      this.waking = null;
      this.wokenAt = this.clock.monotonic();
      this.loop.wake();
    }, wait).unref();
  }

  /** Whether it found something, so that looking again at once is worth it. */
  private async draw(signal: AbortSignal): Promise<boolean> {
    if (!(await this.intake.ready(signal))) return !signal.aborted;
    const places = (await this.look()).filter(({ tenant, queue }) => !this.intake.isPaused(tenant, queue));
    if (places.length === 0) return false;
    this.turn += 1;
    let found = 0;
    for (const lane of laneOrder(this.turn)) {
      const members = places.filter((place) => place.lane === lane);
      found += await this.drawLane(lane, members, signal);
    }
    if (found === 0) this.lookedAt = Number.NEGATIVE_INFINITY;
    return found > 0;
  }

  private async look(): Promise<readonly Backlog[]> {
    const now = this.clock.monotonic();
    if (now - this.lookedAt < PLACES_MS) return this.places;
    // More places than one look takes in: the next look goes on where this one ended.
    const from = this.places.length === PLACES_MAX ? (this.places.at(-1) ?? null) : null;
    this.places = await this.claimer.backlog(this.queues, PLACES_MAX, from);
    // An empty look is no reason not to look again.
    this.lookedAt = this.places.length > 0 ? now : Number.NEGATIVE_INFINITY;
    return this.places;
  }

  /** Goes on after the place that was served last: counting draws instead would serve the same places whenever slots are few. */
  private async drawLane(lane: Lane, members: readonly Backlog[], signal: AbortSignal): Promise<number> {
    const last = this.served.get(lane);
    const following = last === undefined ? 0 : members.findIndex((place) => comesAfter(place, last));
    const first = Math.max(0, following);
    let found = 0;
    for (let step = 0; step < members.length && !signal.aborted; step += 1) {
      const place = members[(first + step) % members.length];
      const share = Math.ceil(this.intake.slots.free / (members.length - step));
      const reserved = this.intake.slots.reserve(share);
      if (place === undefined || reserved === 0) break;
      this.served.set(lane, place);
      found += await this.intake.takeBacklog(place, reserved);
    }
    return found;
  }
}

/** In the order in which the places are found: by queue, then by tenant. */
function comesAfter(place: Backlog, other: Backlog): boolean {
  return place.queue === other.queue ? place.tenant > other.tenant : place.queue > other.queue;
}
