/**
 * Decides what becomes of tasks that a reader has found at the door: taken now, rung again for a worker that has room, or set aside
 * to where workers look by themselves.
 *
 * The door is first come, first served, which is quick and, as long as nobody waits, fair as well. Where somebody waits, because
 * messages have been at the door for too long or because others wait in the database for the same slots, the slots are dealt out by
 * weight, and what gets none is set aside: from there tasks are claimed in turns over the tenants. So a message that stands behind
 * another tenant's many is overtaking them after the patience at the latest, however many there are, and a task is set aside
 * once at most.
 *
 * What belongs to a paused queue, or to a tenant that runs as many tasks as it may, is set aside as well.
 */
import { Inject, Injectable } from '@nestjs/common';
import { Config } from '@app/config';
import { Doorbell, type Delivery, type Lane, type Ring } from '@app/queue';
import { Logger } from '@app/telemetry';
import { Intake } from './intake.js';
import { Sharing, type AtDoor } from './sharing.js';

/** How often it reads on to clear a door; each time for as many tasks as one statement sets aside. */
const CLEARING_READS_MAX = 16;
/** For how many tasks a reader is asked to read on. */
export const CLEARING_TASKS = 1_000;

/** Reads on in these lanes, past what there are slots for. */
export type ReadOn = (lanes: readonly Lane[]) => Promise<readonly Delivery[]>;

/** What is taken now, and what is not. */
interface Choice {
  now: Ring[];
  rest: Ring[];
}

/** What the doorkeeper needs of the intake. */
type TakenInto = Pick<Intake, 'isClosed' | 'isLimited' | 'takeIds' | 'takeWithin' | 'setAside'> & {
  readonly slots: Pick<Intake['slots'], 'free' | 'reserve'>;
};

@Injectable()
export class Doorkeeper {
  private readonly patienceMs: number;
  /** Called when tasks were set aside that may be started. */
  onAside: () => void = () => undefined;

  constructor(
    @Inject(Config) config: Pick<Config, 'doorbellPatienceMs'>,
    @Inject(Doorbell) private readonly doorbell: Pick<Doorbell, 'ring'>,
    @Inject(Intake) private readonly intake: TakenInto,
    @Inject(Sharing) private readonly sharing: Sharing,
    @Inject(Logger) private readonly logger: Logger,
  ) {
    this.patienceMs = config.doorbellPatienceMs;
  }

  /**
   * Resolves when all is decided, with every message that may be finished now: those given and those read on for. `lanes` are in the
   * order of the turn.
   */
  async take(deliveries: readonly Delivery[], lanes: readonly Lane[], readOn: ReadOn): Promise<readonly Delivery[]> {
    const late = lanes.filter((lane) => deliveries.some((delivery) => delivery.lane === lane && this.isLate(delivery)));
    const all = late.length === 0 ? deliveries : [...deliveries, ...(await this.readOn(late, readOn))];
    const open = all.filter((delivery) => !this.intake.isClosed(delivery));
    const isContested = late.length > 0 || lanes.some((lane) => this.othersWait(lane, open));
    const { now, rest } = isContested ? this.deal(open, lanes) : this.firstCome(open);
    await this.claim(now);
    if (!isContested) await this.ringAgain(rest);
    const closed = all.filter((delivery) => !open.includes(delivery));
    const aside = [...closed, ...(isContested ? rest : [])];
    if (aside.length > 0) await this.intake.setAside(aside.flatMap(({ ids }) => ids));
    // What was closed may have opened before it was set aside; whoever looked at that moment has not seen it.
    if ((isContested && rest.length > 0) || closed.some((delivery) => !this.intake.isClosed(delivery))) this.onAside();
    return all;
  }

  private isLate({ waitedMs }: Delivery): boolean {
    return waitedMs > this.patienceMs;
  }

  /** Until it finds nothing, or what has not waited for long. What was read before a failure counts. */
  private async readOn(lanes: readonly Lane[], read: ReadOn): Promise<Delivery[]> {
    const found: Delivery[] = [];
    try {
      for (let count = 0; count < CLEARING_READS_MAX; count += 1) {
        const more = await read(lanes);
        found.push(...more);
        if (!more.some((delivery) => this.isLate(delivery))) break;
      }
    } catch (err) {
      this.logger.debug({ err }, 'Reading on failed; what was read before is taken.');
    }
    return found;
  }

  private othersWait(lane: Lane, open: readonly Ring[]): boolean {
    const here = open.filter((ring) => ring.lane === lane);
    return here.length > 0 && this.sharing.othersWait(lane, here, (flow) => this.intake.isClosed(flow));
  }

  /** In the order of arrival, as far as there is room. */
  private firstCome(open: readonly Ring[]): Choice {
    let room = this.intake.slots.reserve(open.reduce((sum, { ids }) => sum + ids.length, 0));
    const choice: Choice = { now: [], rest: [] };
    for (const ring of open) {
      const taken = Math.min(room, ring.ids.length);
      room -= taken;
      divide(ring, taken, choice);
      this.sharing.charge(ring.lane, ring, taken);
    }
    return choice;
  }

  /** By weight, lane by lane. Slots that fall to places in the database are left for the drawer. */
  private deal(open: readonly Ring[], lanes: readonly Lane[]): Choice {
    const choice: Choice = { now: [], rest: [] };
    let free = this.intake.slots.free;
    for (const lane of lanes) {
      const rings = open.filter((ring) => ring.lane === lane);
      const flows = flowsOf(rings);
      if (flows.length === 0) continue;
      const { mayTake, left } = this.sharing.dealDoor(lane, flows, free, (flow) => this.intake.isClosed(flow));
      const room = new Map(flows.map((flow) => [`${flow.queue} ${flow.tenant}`, mayTake(flow)]));
      for (const ring of rings) {
        const key = `${ring.queue} ${ring.tenant}`;
        const taken = Math.min(room.get(key) ?? 0, ring.ids.length);
        room.set(key, (room.get(key) ?? 0) - taken);
        divide(ring, taken, choice);
      }
      free = left;
    }
    this.intake.slots.reserve(choice.now.reduce((sum, { ids }) => sum + ids.length, 0));
    return choice;
  }

  /** Into the slots reserved for them. Only tenants with a limit pay for it, with a claim of their own. */
  private async claim(rings: readonly Ring[]): Promise<void> {
    const within = new Map<string, Buffer[]>();
    const unlimited: Buffer[] = [];
    for (const { tenant, ids } of rings) {
      if (!this.intake.isLimited(tenant)) unlimited.push(...ids);
      else within.set(tenant, [...(within.get(tenant) ?? []), ...ids]);
    }
    if (unlimited.length > 0) await this.intake.takeIds(unlimited);
    for (const [tenant, ids] of within) await this.intake.takeWithin(tenant, ids);
  }

  /** For the worker that has room. Where that fails the tasks go back to where workers look by themselves. */
  private async ringAgain(rings: readonly Ring[]): Promise<void> {
    if (rings.length === 0) return;
    try {
      await this.doorbell.ring(rings);
    } catch (err) {
      this.logger.debug({ err }, 'Ringing again failed; the tasks are offered from the database.');
      await this.intake.setAside(rings.flatMap(({ ids }) => ids));
    }
  }
}

/** The first `taken` of the ids are taken now. */
function divide({ tenant, queue, lane, ids }: Ring, taken: number, { now, rest }: Choice): void {
  if (taken > 0) now.push({ tenant, queue, lane, ids: ids.slice(0, taken) });
  if (taken < ids.length) rest.push({ tenant, queue, lane, ids: ids.slice(taken) });
}

function flowsOf(rings: readonly Ring[]): AtDoor[] {
  const flows = new Map<string, AtDoor>();
  for (const { queue, tenant, ids } of rings) {
    const key = `${queue} ${tenant}`;
    const flow = flows.get(key) ?? { queue, tenant, tasks: 0 };
    flow.tasks += ids.length;
    flows.set(key, flow);
  }
  return [...flows.values()];
}
