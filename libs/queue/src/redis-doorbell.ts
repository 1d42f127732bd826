/**
 * The doorbell on Redis Streams: one stream per queue and lane, one consumer group. Streams are never trimmed by length; an
 * entry leaves when its tasks were claimed or found unclaimable, so a stream is as long as what nobody has picked up.
 *
 * Everything here may vanish at any moment (FLUSHALL, a restart without persistence, a failover that lost a second). Nothing
 * is believed for longer than a second, every command fails fast, and the reconciler finds what was lost.
 */
import { Unavailable } from '@app/errors';
import type { Clock } from '@app/lifecycle';
import { Doorbell, type Condition, type DoorbellReader, type Finished, type Position, type Ring } from './doorbell.js';
import { GROUP, Keys } from './keys.js';
import type { Lane } from './lanes.js';
import { adviceFor } from './redis-advice.js';
import { RedisClock } from './redis-clock.js';
import { connect, ready, type RedisConnection, type RedisSettings } from './redis-connection.js';
import { groupOf, lengthOf, RedisJanitor } from './redis-janitor.js';
import { isSilence, RedisOutage, type OutageReport } from './redis-outage.js';
import { RedisReader } from './redis-reader.js';
import { entryTime, IDS_PER_ENTRY, type StreamReceipt } from './redis-replies.js';
import { Windows } from './windows.js';

const PROBE_KEPT_MS = 10_000;

/** Whom to tell about Redis as a whole. */
export interface RedisReport extends OutageReport {
  advise(advice: string): void;
}

export interface RedisDoorbellOptions {
  /** First part of every key. */
  prefix: string;
  /** How many tasks of one tenant, queue and lane may be at the door. */
  window: number;
  clock: Clock;
  /** Nobody, unless given. */
  report?: RedisReport;
}

const NOBODY: RedisReport = { began: () => undefined, ended: () => undefined, advise: () => undefined };

export class RedisDoorbell extends Doorbell {
  private readonly keys: Keys;
  private readonly connection: RedisConnection;
  private readonly windows: Windows;
  private readonly outage: RedisOutage;
  /** For everything that uses the one connection. */
  private readonly shared: RedisSettings;
  private readonly janitor: RedisJanitor;
  private readonly report: RedisReport;
  private readonly serverClock: RedisClock;
  private advice: string | null = null;

  constructor(
    private readonly settings: RedisSettings,
    options: RedisDoorbellOptions,
  ) {
    super();
    this.keys = new Keys(options.prefix);
    this.report = options.report ?? NOBODY;
    this.shared = {
      ...settings,
      onError: (error) => {
        this.met(error);
      },
    };
    this.outage = new RedisOutage(() => this.probe(), this.report);
    this.connection = connect(this.shared);
    this.serverClock = new RedisClock(options.clock, () => this.serverTime());
    this.connection.on('ready', () => void this.inspect());
    this.janitor = new RedisJanitor(this.connection, this.keys, (deliveries) => this.finish(deliveries));
    this.windows = new Windows(options.window, options.clock, (key, tenant) => {
      this.recount(key, tenant);
    });
  }

  admits(tenant: string, queue: string, lane: Lane, tasks: number): boolean {
    if (this.connection.status !== 'ready' || this.outage.reason !== null) return false;
    return this.windows.admits(this.keys.outstanding(queue, lane), tenant, tasks);
  }

  async ring(rings: readonly Ring[]): Promise<void> {
    // What is sent to a server that hangs waits in memory.
    if (this.outage.reason !== null) throw new Unavailable(`The doorbell is out of order: ${this.outage.reason}.`);
    const byQueue = new Map<string, Ring[]>();
    for (const ring of rings) byQueue.set(ring.queue, [...(byQueue.get(ring.queue) ?? []), ring]);
    await Promise.all([...byQueue.values()].map((group) => this.ringOrForget(group)));
  }

  open(queue: string, consumer: string, polling = false): DoorbellReader {
    const [settings, connection] = polling ? [this.shared, this.connection] : [this.settings, null];
    return new RedisReader(queue, consumer, this.keys, settings, this.serverClock, (deliveries) => this.finish(deliveries), connection);
  }

  async position(queue: string, lane: Lane): Promise<Position | null> {
    const stream = this.keys.stream(queue, lane);
    try {
      const [length, now] = await Promise.all([lengthOf(this.connection, stream), this.serverTime()]);
      const group = await groupOf(this.connection, stream);
      return { length, lastDeliveredAt: entryTime(group?.get('last-delivered-id')), now };
    } catch {
      return null;
    }
  }

  async tidy(queue: string, idleMs: number): Promise<void> {
    await this.janitor.tidy(queue, idleMs);
  }

  async answers(): Promise<boolean> {
    try {
      return (await this.connection.call('PING')) === 'PONG';
    } catch {
      return false;
    }
  }

  async condition(): Promise<Condition> {
    return { trouble: await this.outage.look(), advice: this.advice };
  }

  close(): Promise<void> {
    this.outage.close();
    this.connection.disconnect();
    return Promise.resolve();
  }

  private met(error: Error): void {
    this.settings.onError(error);
    this.outage.met(error);
    if (isSilence(error) && this.connection.status === 'ready') this.connection.disconnect(true);
  }

  private async probe(): Promise<void> {
    await ready(this.connection, this.settings.commandTimeoutMs);
    try {
      await this.connection.set(this.keys.probe(), '1', 'PX', PROBE_KEPT_MS);
    } catch (error) {
      this.met(error as Error);
      throw error;
    }
  }

  /** In whole ms. */
  private async serverTime(): Promise<number> {
    const [seconds, microseconds] = await this.connection.time();
    return Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
  }

  /** On every new connection, which may lead to another server than the last. */
  private async inspect(): Promise<void> {
    this.serverClock.forget();
    if (this.outage.reason !== null) await this.outage.look();
    const advice = await adviceFor(this.connection, this.settings.onError);
    if (advice !== null && advice !== this.advice) this.report.advise(advice);
    this.advice = advice;
  }

  private recount(key: string, tenant: string): void {
    this.connection.hget(key, tenant).then(
      (count) => {
        this.windows.learn(key, tenant, Number(count ?? 0));
      },
      (error: unknown) => {
        this.met(error as Error);
      },
    );
  }

  private async ringOrForget(rings: readonly Ring[]): Promise<void> {
    try {
      await this.ringQueue(rings);
    } catch (error) {
      this.met(error as Error);
      for (const { queue, lane, tenant } of rings) this.windows.forget(this.keys.outstanding(queue, lane), tenant);
      throw error;
    }
  }

  private async ringQueue(rings: readonly Ring[]): Promise<void> {
    const pipeline = this.connection.pipeline();
    const counts: { key: string; tenant: string; at: number }[] = [];
    let commands = 0;
    for (const ring of rings) {
      for (let from = 0; from < ring.ids.length; from += IDS_PER_ENTRY) {
        const packed = Buffer.concat(ring.ids.slice(from, from + IDS_PER_ENTRY));
        pipeline.xadd(this.keys.stream(ring.queue, ring.lane), '*', 't', ring.tenant, 'i', packed);
        commands += 1;
      }
      const key = this.keys.outstanding(ring.queue, ring.lane);
      pipeline.hincrby(key, ring.tenant, ring.ids.length);
      counts.push({ key, tenant: ring.tenant, at: commands });
      commands += 1;
    }
    const replies = (await pipeline.exec()) ?? [];
    const failed = replies.find(([error]) => error !== null);
    if (failed?.[0]) throw failed[0];
    if (replies.length < commands) throw new Error('Redis answered fewer commands than were sent');
    for (const { key, tenant, at } of counts) this.windows.learn(key, tenant, Number(replies[at]?.[1]));
  }

  private async finish(deliveries: readonly Finished[]): Promise<void> {
    const pipeline = this.connection.pipeline();
    for (const delivery of deliveries) {
      const { entryId } = delivery.receipt as StreamReceipt;
      const stream = this.keys.stream(delivery.queue, delivery.lane);
      pipeline.xack(stream, GROUP, entryId);
      pipeline.xdel(stream, entryId);
      if (delivery.ids.length > 0)
        pipeline.hincrby(this.keys.outstanding(delivery.queue, delivery.lane), delivery.tenant, -delivery.ids.length);
    }
    try {
      const replies = (await pipeline.exec()) ?? [];
      const failed = replies.find(([error]) => error !== null);
      if (failed?.[0]) throw failed[0];
    } catch (error) {
      // The entries stay pending; tidy() drops them once they are idle. The claim that came before is what counts.
      this.met(error as Error);
    }
  }
}
