/**
 * Draws from the backlog: tasks that have no doorbell message, because the window was full, Redis is away, or a message was
 * lost. It shares the slots with the readers, goes on at once while it finds something, and otherwise looks every few seconds
 * and whenever a door runs dry. Lanes take turns as at the door; inside a lane the slots are dealt out between queues and tenants
 * by weight, so that one tenant's million tasks do not come before another's ten. A tenant that runs as many tasks as it may is
 * passed over.
 */
import { Inject, Injectable } from '@nestjs/common';
import { Config } from '@app/config';
import { Clock, Loop, Loops } from '@app/lifecycle';
import { laneOrder, type Lane } from '@app/queue';
import { TaskClaimer, type Backlog } from '@app/tasks';
import { Logger } from '@app/telemetry';
import { Intake } from './intake.js';
import { Sharing } from './sharing.js';

/** How many places one look takes in. */
const PLACES_MAX = 256;
/** How long the places of a look serve while they still yield; new ones wait that long at most. */
const PLACES_MS = 1_000;
/** How many looks in a row go on to the next places at once where they yield nothing; then it goes on after a pause. */
const LOOKS_MAX = 16;
const WAKE_EVERY_MS = 100;
/**
 * How many slots are filled at once. With all of them the worker and its database would take turns: it waits while a thousand are claimed,
 * and is waited for while a thousand run.
 */
const DEALT_MAX = 500;

/** What the drawer needs of the intake. */
type DrawnInto = Pick<Intake, 'ready' | 'isClosed' | 'takeBacklog'> & { readonly slots: Pick<Intake['slots'], 'free' | 'reserve'> };

@Injectable()
export class Drawer {
  private readonly loop: Loop;
  private turn = 0;
  private wokenAt = Number.NEGATIVE_INFINITY;
  private waking: NodeJS.Timeout | null = null;
  private places: readonly Backlog[] = [];
  /** Where the next look goes on; null at the beginning. */
  private resumeAfter: Backlog | null = null;
  private lookedAt = Number.NEGATIVE_INFINITY;
  /** How many looks this round through all places has taken so far. */
  private looks = 0;
  /** How many looks in a row have yielded nothing. */
  private dry = 0;

  private readonly queues: readonly string[] | null;

  constructor(
    @Inject(Config) config: Pick<Config, 'workerQueues' | 'workerPollMs'>,
    @Inject(TaskClaimer) private readonly claimer: Pick<TaskClaimer, 'backlog'>,
    @Inject(Intake) private readonly intake: DrawnInto,
    @Inject(Sharing) private readonly sharing: Sharing,
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

  /** A look at once, with new eyes: tasks have just come into the backlog, or may be claimed again. */
  lookAgain(): void {
    this.lookedAt = Number.NEGATIVE_INFINITY;
    this.loop.wake();
  }

  /** Whether it found something, so that looking again at once is worth it. */
  private async draw(signal: AbortSignal): Promise<boolean> {
    if (!(await this.intake.ready(signal))) return !signal.aborted;
    const places = (await this.look()).filter((place) => !this.intake.isClosed(place));
    if (places.length === 0) return this.lookFurther();
    this.turn += 1;
    const most = Math.min(this.intake.slots.free, DEALT_MAX);
    let found = 0;
    for (const lane of laneOrder(this.turn)) {
      const members = places.filter((place) => place.lane === lane);
      found += await this.drawLane(lane, members, most - found, signal);
    }
    if (found > 0) this.dry = 0;
    else this.lookedAt = Number.NEGATIVE_INFINITY;
    return found > 0 || this.lookFurther();
  }

  /** After a look that yielded nothing: whether to look at the next places at once, until all have yielded nothing in a row. */
  private lookFurther(): boolean {
    this.dry += 1;
    const further = (this.resumeAfter !== null || this.dry < this.looks) && this.dry < LOOKS_MAX;
    if (further) this.lookedAt = Number.NEGATIVE_INFINITY;
    else this.dry = 0;
    return further;
  }

  private async look(): Promise<readonly Backlog[]> {
    const now = this.clock.monotonic();
    if (this.places.length > 0 && now - this.lookedAt < PLACES_MS) return this.places;
    this.lookedAt = now;
    this.looks = this.resumeAfter === null ? 1 : this.looks + 1;
    this.places = await this.claimer.backlog(this.queues, PLACES_MAX, this.resumeAfter);
    // More places than one look takes in: the next look goes on where this one ended.
    this.resumeAfter = this.places.length === PLACES_MAX ? (this.places.at(-1) ?? null) : null;
    this.sharing.seen(this.places);
    return this.places;
  }

  private async drawLane(lane: Lane, members: readonly Backlog[], most: number, signal: AbortSignal): Promise<number> {
    const { slots } = this.intake;
    const mayTake = this.sharing.dealBacklog(lane, members, Math.min(slots.free, most));
    let found = 0;
    for (const place of members) {
      const share = mayTake(place);
      const reserved = signal.aborted || this.intake.isClosed(place) ? 0 : slots.reserve(share);
      const got = reserved === 0 ? 0 : await this.intake.takeBacklog(place, reserved);
      this.sharing.refund(lane, place, share - got);
      if (got < reserved) this.forget(place);
      found += got;
    }
    return found;
  }

  /** Until the next look: it has no more, others hold the rest, or its tenant runs as many as it may. */
  private forget(place: Backlog): void {
    this.places = this.places.filter((other) => other !== place);
    this.sharing.emptied(place);
  }
}
