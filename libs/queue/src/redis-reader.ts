/**
 * Reads one queue for one worker. The connection is its own, because a blocking read occupies it; after any error it is thrown
 * away and the next read makes a new one. The consumer group is made on the way in, from the start of the stream and never
 * from its end (`$` would skip what was rung before the group existed), and made again whenever Redis says it is gone.
 */
import { within } from '@app/lifecycle';
import type { Delivery, DoorbellReader, Finished, ReadOptions } from './doorbell.js';
import { GROUP, type Keys } from './keys.js';
import { LANES, type Lane } from './lanes.js';
import { connect, ready, type RedisConnection, type RedisSettings } from './redis-connection.js';
import type { RedisClock } from './redis-clock.js';
import { deliveriesOf, IDS_PER_ENTRY } from './redis-replies.js';

/** How much longer than BLOCK to wait for the answer before the connection counts as dead, in ms. */
const ANSWER_MARGIN_MS = 2_000;

export type Finish = (deliveries: readonly Finished[]) => Promise<void>;

export class RedisReader implements DoorbellReader {
  private connection: RedisConnection | null = null;
  private grouped = false;
  private readonly closing = new AbortController();
  /** Tasks per entry lately: COUNT counts entries, the caller counts tasks. */
  private packing = 1;
  /** Whether lanes are read one after the other although there is room for all: more may be there than a look brings, or one is broken. */
  private oneByOne = false;
  private readonly laneOfKey: Map<string, Lane>;

  constructor(
    private readonly queue: string,
    private readonly consumer: string,
    private readonly keys: Keys,
    private readonly settings: RedisSettings,
    private readonly serverClock: Pick<RedisClock, 'now'>,
    readonly finish: Finish,
    /** A connection that others use too; such a reader does not block, and does not throw it away. */
    private readonly shared: RedisConnection | null = null,
  ) {
    this.laneOfKey = new Map(LANES.map((lane) => [keys.stream(queue, lane), lane]));
  }

  async read(options: ReadOptions): Promise<Delivery[]> {
    const signals = [this.closing.signal, options.signal];
    const isStopped = (): boolean => signals.some((signal) => signal.aborted);
    if (isStopped()) return [];
    let stop = (): void => undefined;
    // Not left to the connection: one to a server that hangs takes its time to close.
    const stopped = new Promise<Delivery[]>((resolve) => {
      stop = () => {
        this.discard();
        resolve([]);
      };
    });
    for (const signal of signals) signal.addEventListener('abort', stop);
    try {
      return await Promise.race([this.readLanes(options), stopped]);
    } catch (error) {
      this.discard();
      if (this.shared !== null) this.settings.onError(error as Error);
      if (isStopped()) return [];
      throw error;
    } finally {
      for (const signal of signals) signal.removeEventListener('abort', stop);
    }
  }

  close(): Promise<void> {
    this.closing.abort();
    this.discard();
    return Promise.resolve();
  }

  /** In one trip where there is room for whatever it brings; else lane by lane, because a later lane gets what the earlier ones leave. */
  private async readLanes({ tasks, lanes, blockMs }: ReadOptions): Promise<Delivery[]> {
    const connection = await this.connected();
    const entries = Math.floor(tasks / (lanes.length * IDS_PER_ENTRY));
    const isLook = entries > 0 && !this.oneByOne;
    // Until it is known that nothing is left, and that no lane makes the others fail.
    this.oneByOne = true;
    const found = isLook ? await this.readGroup(connection, lanes, entries, blockMs) : [];
    const isLeft = !isLook || lanes.some((lane) => found.filter((delivery) => delivery.lane === lane).length >= entries);
    if (isLeft) await this.readInOrder(connection, lanes, tasks, found);
    if (isLeft && found.length > 0) return found;
    this.oneByOne = false;
    return isLook || blockMs === 0 ? found : this.readGroup(connection, lanes, 1, blockMs);
  }

  private async readInOrder(connection: RedisConnection, lanes: readonly Lane[], tasks: number, found: Delivery[]): Promise<void> {
    let room = tasks - tasksIn(found);
    for (const lane of lanes) {
      if (room <= 0) break;
      const batch = await this.readLane(connection, lane, room, found.length > 0);
      if (batch === null) return;
      const brought = tasksIn(batch);
      if (batch.length > 0) this.packing = Math.max(1, brought / batch.length);
      room -= brought;
      found.push(...batch);
    }
  }

  /** Null where the read failed after others had succeeded: what those brought is delivered and must not be dropped. */
  private async readLane(connection: RedisConnection, lane: Lane, room: number, hasOthers: boolean): Promise<Delivery[] | null> {
    try {
      return await this.readGroup(connection, [lane], Math.max(1, Math.floor(room / this.packing)), 0);
    } catch (error) {
      if (!hasOthers) throw error;
      this.discard();
      return null;
    }
  }

  private async connected(): Promise<RedisConnection> {
    // Lost between two reads: nobody would ever hear from it again.
    if (this.connection?.status === 'end' || this.connection?.status === 'close') this.discard();
    if (this.connection === null) {
      this.grouped = false;
      this.connection = this.shared ?? connect(this.settings, true);
    }
    await ready(this.connection, this.settings.connectTimeoutMs);
    if (!this.grouped) await this.makeGroups(this.connection);
    return this.connection;
  }

  private async makeGroups(connection: RedisConnection): Promise<void> {
    for (const lane of LANES) {
      try {
        await within(
          connection.call('XGROUP', 'CREATE', this.keys.stream(this.queue, lane), GROUP, '0', 'MKSTREAM'),
          this.settings.commandTimeoutMs,
          'XGROUP',
        );
      } catch (error) {
        // A full Redis makes no group, not even one that is there; reading what there is helps to empty it.
        if (String(error).includes('OOM')) return;
        if (!String(error).includes('BUSYGROUP')) throw error;
      }
    }
    this.grouped = true;
  }

  private async readGroup(connection: RedisConnection, lanes: readonly Lane[], count: number, blockMs: number): Promise<Delivery[]> {
    const streams = lanes.map((lane) => this.keys.stream(this.queue, lane));
    const block = blockMs > 0 ? ['BLOCK', String(blockMs)] : [];
    const newest = streams.map(() => '>');
    const reading = connection.callBuffer(
      'XREADGROUP',
      'GROUP',
      GROUP,
      this.consumer,
      'COUNT',
      String(count),
      ...block,
      'STREAMS',
      ...streams,
      ...newest,
    );
    const reply = await within(reading, blockMs + this.settings.commandTimeoutMs + ANSWER_MARGIN_MS, 'XREADGROUP');
    return deliveriesOf(reply, this.queue, this.serverClock.now(), (key) => this.laneOfKey.get(key));
  }

  private discard(): void {
    if (this.shared === null) this.connection?.disconnect();
    this.connection = null;
  }
}

const tasksIn = (deliveries: readonly Delivery[]): number => deliveries.reduce((sum, { ids }) => sum + ids.length, 0);
