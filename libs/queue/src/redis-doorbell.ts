/**
 * The doorbell on Redis Streams: one stream per queue and lane, one consumer group. Streams are never trimmed by length; an
 * entry leaves when its tasks were claimed or found unclaimable, so a stream is as long as what nobody has picked up.
 *
 * Everything here may vanish at any moment (FLUSHALL, a restart without persistence, a failover that lost a second). Nothing
 * is believed for longer than a second, every command fails fast, and the reconciler finds what was lost.
 */
import type { Clock } from '@app/lifecycle';
import { Doorbell, type Delivery, type DoorbellReader, type Position, type Ring } from './doorbell.js';
import { GROUP, Keys } from './keys.js';
import { LANES, type Lane } from './lanes.js';
import { connect, type RedisConnection, type RedisSettings } from './redis-connection.js';
import { RedisReader } from './redis-reader.js';
import { entriesOf, entryTime, fieldsOf, type StreamReceipt } from './redis-replies.js';
import { Windows } from './windows.js';

/** Ids per entry: enough to make a burst cheap (measured: −15 µs per task against one), few enough to spread over workers. */
const IDS_PER_ENTRY = 16;
const CLAIM_PAGE = 100;
const CLAIM_PAGES_MAX = 1_000;
const JANITOR = 'janitor';
/** A reader that has not asked for this long and holds nothing is gone, in ms. Readers ask every few seconds. */
const READER_GONE_MS = 60_000;

export class RedisDoorbell extends Doorbell {
  private readonly keys: Keys;
  private readonly connection: RedisConnection;
  private readonly windows: Windows;

  constructor(
    private readonly settings: RedisSettings,
    options: { prefix: string; window: number; clock: Clock },
  ) {
    super();
    this.keys = new Keys(options.prefix);
    this.connection = connect(settings);
    this.windows = new Windows(options.window, options.clock, (key, tenant) => {
      this.recount(key, tenant);
    });
  }

  admits(tenant: string, queue: string, lane: Lane, tasks: number): boolean {
    return this.connection.status === 'ready' && this.windows.admits(this.keys.outstanding(queue, lane), tenant, tasks);
  }

  async ring(rings: readonly Ring[]): Promise<void> {
    const byQueue = new Map<string, Ring[]>();
    for (const ring of rings) byQueue.set(ring.queue, [...(byQueue.get(ring.queue) ?? []), ring]);
    await Promise.all([...byQueue.values()].map((group) => this.ringOrForget(group)));
  }

  open(queue: string, consumer: string, polling = false): DoorbellReader {
    const shared = polling ? this.connection : null;
    return new RedisReader(queue, consumer, this.keys, this.settings, (deliveries) => this.finish(deliveries), shared);
  }

  async position(queue: string, lane: Lane): Promise<Position | null> {
    const stream = this.keys.stream(queue, lane);
    try {
      const [length, time] = await Promise.all([this.connection.xlen(stream), this.connection.time()]);
      const now = Number(time[0]) * 1_000 + Math.floor(Number(time[1]) / 1_000);
      const group = await this.group(stream);
      return { length, lastDeliveredAt: entryTime(group?.get('last-delivered-id')), now };
    } catch {
      return null;
    }
  }

  async tidy(queue: string, idleMs: number): Promise<void> {
    for (const lane of LANES) {
      const stream = this.keys.stream(queue, lane);
      const group = await this.group(stream);
      if (group === null) continue;
      await this.dropAbandoned(queue, lane, idleMs);
      await this.dropReaders(stream);
      await this.dropDelivered(stream, group.get('last-delivered-id'));
      if ((await this.connection.xlen(stream)) === 0) await this.connection.del(this.keys.outstanding(queue, lane));
    }
  }

  async answers(): Promise<boolean> {
    try {
      return (await this.connection.call('PING')) === 'PONG';
    } catch {
      return false;
    }
  }

  close(): Promise<void> {
    this.connection.disconnect();
    return Promise.resolve();
  }

  private recount(key: string, tenant: string): void {
    this.connection.hget(key, tenant).then(
      (count) => {
        this.windows.learn(key, tenant, Number(count ?? 0));
      },
      (error: unknown) => {
        this.settings.onError(error as Error);
      },
    );
  }

  private async ringOrForget(rings: readonly Ring[]): Promise<void> {
    try {
      await this.ringQueue(rings);
    } catch (error) {
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

  private async finish(deliveries: readonly Delivery[]): Promise<void> {
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
      await pipeline.exec();
    } catch (error) {
      // The entries stay pending; tidy() drops them once they are idle. The claim that came before is what counts.
      this.settings.onError(error as Error);
    }
  }

  private async group(stream: string): Promise<Map<string, string> | null> {
    try {
      const groups = (await this.connection.call('XINFO', 'GROUPS', stream)) as unknown[];
      return groups.map(fieldsOf).find((fields) => fields.get('name') === GROUP) ?? null;
    } catch (error) {
      if (String(error).includes('no such key')) return null;
      throw error;
    }
  }

  /** Entries a reader took and never finished. Their tasks are the reconciler's business; the entries are only in the way. */
  private async dropAbandoned(queue: string, lane: Lane, idleMs: number): Promise<void> {
    const stream = this.keys.stream(queue, lane);
    let cursor = '0-0';
    for (let page = 0; page < CLAIM_PAGES_MAX; page += 1) {
      const reply = (await this.connection.callBuffer(
        'XAUTOCLAIM',
        stream,
        GROUP,
        JANITOR,
        String(idleMs),
        cursor,
        'COUNT',
        String(CLAIM_PAGE),
      )) as unknown[];
      const entries = entriesOf(reply[1]);
      if (entries.length > 0) {
        await this.finish(
          entries.map(({ entryId, tenant, ids }) => ({ tenant, queue, lane, ids, receipt: { entryId } satisfies StreamReceipt })),
        );
      }
      cursor = String(reply[0]);
      if (cursor === '0-0') return;
    }
  }

  private async dropReaders(stream: string): Promise<void> {
    const consumers = (await this.connection.call('XINFO', 'CONSUMERS', stream, GROUP)) as unknown[];
    for (const consumer of consumers.map(fieldsOf)) {
      const gone = Number(consumer.get('idle')) > READER_GONE_MS && Number(consumer.get('pending')) === 0;
      if (gone) await this.connection.call('XGROUP', 'DELCONSUMER', stream, GROUP, consumer.get('name') ?? '');
    }
  }

  /** Entries that were delivered and are pending with nobody (their reader was deleted in between) would stay for ever. */
  private async dropDelivered(stream: string, lastDelivered: string | undefined): Promise<void> {
    const [count] = (await this.connection.call('XPENDING', stream, GROUP)) as [number];
    if (Number(count) > 0 || lastDelivered === undefined || lastDelivered === '0-0') return;
    const [ms, sequence] = lastDelivered.split('-');
    await this.connection.call('XTRIM', stream, 'MINID', `${ms}-${Number(sequence) + 1}`);
  }
}
