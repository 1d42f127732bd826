/**
 * Reads one queue's doorbell and claims what rings. It asks for no more than there are free slots, high lane first but with
 * low turns in between, and finishes the messages only when the claim is decided: from then on the lease carries the tasks.
 * A message that names more tasks than there is room for is claimed as far as there is, and the rest is rung again.
 */
import { failpoint, pause } from '@app/lifecycle';
import { laneOrder, type Delivery, type Doorbell, type DoorbellReader, type Ring } from '@app/queue';
import type { Logger } from '@app/telemetry';
import type { Intake } from './intake.js';

const BLOCK_MS = 2_000;
const AWAY_MS_MIN = 100;
const AWAY_MS_MAX = 2_000;

export class Consumer {
  private readonly stopping = new AbortController();
  private readonly reader: DoorbellReader;
  private done: Promise<void> = Promise.resolve();
  private turn = 0;

  constructor(
    readonly queue: string,
    consumer: string,
    private readonly doorbell: Doorbell,
    private readonly intake: Intake,
    private readonly logger: Logger,
    /** Called when the door runs dry: a look at the backlog may be worth it. */
    private readonly onDry: () => void,
    polling = false,
  ) {
    this.reader = doorbell.open(queue, consumer, polling);
  }

  start(): void {
    this.done = this.consume();
  }

  /** One look at the door instead of a start, for a queue without a connection of its own. Throws when the door is away. */
  async poll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && (await this.intake.ready(signal)) && (await this.readOnce(0, signal))) {
      // There was something; there may be more.
    }
  }

  /** Reads nothing more; resolves when what was read is claimed. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.done;
    await this.reader.close();
  }

  private async consume(): Promise<void> {
    const { signal } = this.stopping;
    let wait = AWAY_MS_MIN;
    let wet = false;
    while (!signal.aborted) {
      try {
        if (!(await this.intake.ready(signal))) continue;
        const found = await this.readOnce(wet ? 0 : BLOCK_MS, signal);
        if (wet && !found) this.onDry();
        wet = found;
        wait = AWAY_MS_MIN;
      } catch (err) {
        if (wait === AWAY_MS_MIN)
          this.logger.warn({ err, queue: this.queue }, 'Reading the doorbell failed; the backlog is claimed from the database meanwhile.');
        await pause(wait, signal);
        wait = Math.min(AWAY_MS_MAX, wait * 2);
      }
    }
  }

  /** Whether something rang. */
  private async readOnce(blockMs: number, signal: AbortSignal): Promise<boolean> {
    this.turn += 1;
    const deliveries = await this.reader.read({ tasks: this.intake.slots.free, lanes: laneOrder(this.turn), blockMs, signal });
    if (deliveries.length > 0) {
      failpoint('read.delivered');
      await this.take(deliveries);
    }
    return deliveries.length > 0;
  }

  private async take(deliveries: readonly Delivery[]): Promise<void> {
    const paused = deliveries.filter(({ tenant, queue }) => this.intake.isPaused(tenant, queue));
    const open = deliveries.filter((delivery) => !paused.includes(delivery));
    await this.intake.setAside(paused.flatMap(({ ids }) => ids));
    const wanted = open.reduce((sum, { ids }) => sum + ids.length, 0);
    const room = this.intake.slots.reserve(wanted);
    const { now, later } = split(open, room);
    if (room > 0) await this.intake.takeIds(now);
    await this.ringAgain(later);
    failpoint('ack.before');
    await this.reader.finish(deliveries);
    failpoint('ack.done');
  }

  /** For the worker that has room. Where that fails the tasks go back to where workers look by themselves. */
  private async ringAgain(rings: readonly Ring[]): Promise<void> {
    if (rings.length === 0) return;
    try {
      await this.doorbell.ring(rings);
    } catch (err) {
      this.logger.debug({ err, queue: this.queue }, 'Ringing again failed; the tasks are offered from the database.');
      await this.intake.setAside(rings.flatMap(({ ids }) => ids));
    }
  }
}

/** The first `room` ids, and rings for the others. */
function split(deliveries: readonly Delivery[], room: number): { now: Buffer[]; later: Ring[] } {
  const now: Buffer[] = [];
  const later: Ring[] = [];
  for (const { tenant, queue, lane, ids } of deliveries) {
    const fits = Math.max(0, Math.min(ids.length, room - now.length));
    now.push(...ids.slice(0, fits));
    if (fits < ids.length) later.push({ tenant, queue, lane, ids: ids.slice(fits) });
  }
  return { now, later };
}
