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

/** Entries of each lane that a wait brings at most: whatever is in a lower lane comes with what is in a higher one. */
const LOOK_MAX = 2;

export type Finish = (deliveries: readonly Finished[]) => Promise<void>;

export class RedisReader implements DoorbellReader {
  private connection: RedisConnection | null = null;
  private grouped = false;
  private readonly closing = new AbortController();
  /** Tasks per entry lately: COUNT counts entries, the caller counts tasks. */
  private packing = 1;
  /** Whether every lane could be read when last asked: in one command, one that is broken makes the others fail. */
  private whole = true;
  /** Whether the last read was a wait that brought something: mostly that was all there is. */
  private hasWaited = false;
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

  /**
   * Whoever waits found nothing a moment ago, so he waits at once, at all lanes together: what that brings is little, and handed on as it
   * comes, because a message that is held here while more is read is lost to its worker where the read is stopped. The look after a
   * wait that was answered asks all lanes together as well: after a lonely message that is one trip instead of one per lane.
   */
  private async readLanes({ tasks, lanes, blockMs }: ReadOptions): Promise<Delivery[]> {
    const connection = await this.connected();
    const entries = Math.min(LOOK_MAX, Math.floor(tasks / (lanes.length * IDS_PER_ENTRY)));
    const isAfterWait = this.hasWaited;
    this.hasWaited = false;
    if ((blockMs > 0 || isAfterWait) && entries > 0 && this.whole) {
      this.whole = false;
      const found = await this.readGroup(connection, lanes, entries, blockMs);
      this.whole = true;
      this.hasWaited = blockMs > 0 && found.length > 0;
      return this.learn(found);
    }
    const found = await this.readInOrder(connection, lanes, tasks);
    if (found.length > 0 || blockMs === 0) return found;
    return this.readGroup(connection, lanes, 1, blockMs);
  }

  /** From high to low, because a later lane gets what the earlier ones leave. */
  private async readInOrder(connection: RedisConnection, lanes: readonly Lane[], tasks: number): Promise<Delivery[]> {
    const found: Delivery[] = [];
    let room = tasks;
    for (const lane of lanes) {
      if (room <= 0) return found;
      const batch = await this.readLane(connection, lane, room, found.length > 0);
      if (batch === null) return found;
      room -= tasksIn(this.learn(batch));
      found.push(...batch);
    }
    this.whole = true;
    return found;
  }

  private learn(batch: Delivery[]): Delivery[] {
    if (batch.length > 0) this.packing = Math.max(1, tasksIn(batch) / batch.length);
    return batch;
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
