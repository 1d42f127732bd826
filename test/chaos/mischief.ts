/**
 * What a stranger, or a bug, may do to the streams with a Redis client of its own: messages that were never meant, messages that
 * say something else than they should, counters that lie, and keys that are gone or of another type. It knows the keys only by
 * looking at them, as a stranger would.
 */
import { Redis } from 'ioredis';
import { QUEUES, TENANTS } from './plan-tasks.js';
import type { Random } from './random.js';
import { REDIS_PREFIX } from './site.js';

/** A task the stranger has heard of. */
export interface KnownTask {
  readonly tenant: string;
  /** UUID. */
  readonly id: string;
}

const LANES = ['high', 'normal', 'low'] as const;
const HUGE_BYTES = 1024 * 1024;
const MANY_IDS = 2_000;

export class Stranger {
  private readonly redis: Redis;

  constructor(url: string) {
    this.redis = new Redis(url, {
      enableOfflineQueue: false,
      commandTimeout: 2_000,
      maxRetriesPerRequest: 1,
      retryStrategy: () => 200,
    });
    this.redis.on('error', () => undefined);
  }

  /** Everything is gone. False where Redis does not answer. */
  async flush(): Promise<boolean> {
    return this.redis.flushall().then(
      () => true,
      () => false,
    );
  }

  async deleteStreams(): Promise<string> {
    const streams = await this.streams();
    if (streams.length > 0) await this.redis.del(...streams);
    return `${streams.length} streams`;
  }

  async deleteGroups(): Promise<string> {
    const streams = await this.streams();
    let gone = 0;
    for (const stream of streams)
      for (const group of await this.names('GROUPS', stream)) gone += Number(await this.redis.xgroup('DESTROY', stream, group));
    return `${gone} groups`;
  }

  /** Deletes readers together with what was delivered to them. */
  async deleteConsumers(): Promise<string> {
    let gone = 0;
    for (const stream of await this.streams()) {
      for (const group of await this.names('GROUPS', stream)) {
        for (const consumer of await this.names('CONSUMERS', stream, group)) {
          await this.redis.xgroup('DELCONSUMER', stream, group, consumer);
          gone += 1;
        }
      }
    }
    return `${gone} consumers`;
  }

  /** Puts something else where the streams and counters of one queue are; the returned function takes it away again. */
  async spoilKeys(random: Random): Promise<() => Promise<void>> {
    const queue = random.pick(QUEUES);
    const keys = LANES.flatMap((lane) => [streamOf(queue, lane), `${streamOf(queue, lane)}:outstanding`]);
    for (const key of keys) await this.redis.set(key, 'not what you expect');
    return async () => {
      await this.redis.del(...keys);
    };
  }

  /** `known` are tasks of the campaign, finished and unfinished, of any tenant. */
  async sendMessages(count: number, random: Random, known: readonly KnownTask[]): Promise<string> {
    for (let sent = 0; sent < count; sent += 1) await this.sendOne(random, known);
    return `${count} messages`;
  }

  close(): void {
    this.redis.disconnect();
  }

  private async sendOne(random: Random, known: readonly KnownTask[]): Promise<void> {
    const stream = streamOf(random.pick(QUEUES), random.pick(LANES));
    const tenant = random.pick(TENANTS);
    const some = known.length === 0 ? [] : Array.from({ length: random.whole(1, 16) }, () => random.pick(known));
    const ids = Buffer.concat(some.map(({ id }) => Buffer.from(id.replaceAll('-', ''), 'hex')));
    const send = async (...fields: (string | Buffer)[]): Promise<void> => {
      await this.redis.xadd(stream, '*', ...fields);
    };
    switch (random.whole(0, 9)) {
      case 0:
        return send('t', tenant, 'i', random.bytes(16 * random.whole(1, 20)));
      case 1:
      case 2:
        // Of any tenant, in any state, at a door where they may never have been.
        return send('t', tenant, 'i', ids);
      case 3:
        return send('t', some[0]?.tenant ?? tenant, 'i', Buffer.concat([ids, ids, ids]));
      case 4:
        return random.chance(0.5) ? send('t', tenant) : send('i', ids);
      case 5:
        return send('t', tenant, 'i', random.bytes(random.whole(1, 47)));
      case 6:
        return send('what', 'is this', 't', '', 'i', 'text', 'i', ids);
      case 7:
        return random.chance(0.2) ? send('t', 'x'.repeat(HUGE_BYTES), 'i', ids) : send('t', 'nobody', 'i', ids);
      case 8:
        return random.chance(0.2) ? send('t', tenant, 'i', Buffer.alloc(16 * MANY_IDS, random.bytes(16))) : send('', '');
      default:
        await this.redis.hset(`${stream}:outstanding`, tenant, random.pick([-1_000_000, 0, 1_000_000, 'many']));
    }
  }

  private async streams(): Promise<string[]> {
    const keys = await this.redis.keys(`${REDIS_PREFIX}:*`);
    const types = await Promise.all(keys.map((key) => this.redis.type(key)));
    return keys.filter((_, index) => types[index] === 'stream').sort();
  }

  /** What XINFO lists, by its names; nothing where the key is gone meanwhile. */
  private async names(what: 'GROUPS' | 'CONSUMERS', ...of: string[]): Promise<string[]> {
    const found = (await this.redis.call('XINFO', what, ...of).catch(() => [])) as unknown[][];
    return found.map((fields) => String(fields[fields.indexOf('name') + 1]));
  }
}

function streamOf(queue: string, lane: string): string {
  return `${REDIS_PREFIX}:{${queue}}:${lane}`;
}
