/**
 * Reads one queue's doorbell and hands what rings to the doorkeeper. It asks for no more than there are free slots, high lane first
 * but with low turns in between, and finishes the messages only when the claim is decided: from then on the lease carries the
 * tasks.
 */
import { failpoint, pause } from '@app/lifecycle';
import { laneOrder, type Doorbell, type DoorbellReader } from '@app/queue';
import { CLEARING_TASKS, type Doorkeeper } from './doorkeeper.js';
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
    doorbell: Doorbell,
    private readonly intake: Intake,
    private readonly doorkeeper: Doorkeeper,
    private readonly warn: (fields: { err: unknown; queue: string }) => void,
    /** Called when the door runs dry: a look at the backlog may be worth it. */
    private readonly onDry: () => void,
    polling = false,
  ) {
    this.reader = doorbell.open(queue, consumer, polling);
  }

  start(): void {
    this.done = this.consume();
  }

  /**
   * One look at the door instead of a start, for a queue without a connection of its own; tells whether there was something, and so may be
   * more. Throws when the door is away.
   */
  async poll(signal: AbortSignal): Promise<boolean> {
    return (await this.intake.ready(signal)) && !signal.aborted && this.readOnce(0, signal);
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
        this.warn({ err, queue: this.queue });
        await pause(wait, signal);
        wait = Math.min(AWAY_MS_MAX, wait * 2);
      }
    }
  }

  /** Whether something rang. */
  private async readOnce(blockMs: number, signal: AbortSignal): Promise<boolean> {
    this.turn += 1;
    const lanes = laneOrder(this.turn);
    const deliveries = await this.reader.read({ tasks: this.intake.slots.free, lanes, blockMs, signal });
    if (deliveries.length === 0) return false;
    failpoint('read.delivered');
    const decided = await this.doorkeeper.take(deliveries, lanes, (late) =>
      this.reader.read({ tasks: CLEARING_TASKS, lanes: late, blockMs: 0, signal }),
    );
    failpoint('ack.before');
    await this.reader.finish(decided);
    failpoint('ack.done');
    return true;
  }
}
