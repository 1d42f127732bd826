/** Doorbells opened for one suite, on time that the test moves, and the Redis behind them. */
import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { Clock } from '../../../libs/lifecycle/src/index.js';
import {
  InProcessDoorbell,
  LANES,
  RedisDoorbell,
  type Delivery,
  type Doorbell,
  type DoorbellReader,
  type Lane,
  type ReadOptions,
  type Ring,
} from '../../../libs/queue/src/index.js';
import { backends, type Backend, type RedisPlace } from '../../support/backends.js';

/** What the adapter believes about a window lasts for so long, in ms. */
export const BELIEF_MS = 1_001;
export const WINDOW = 20;
/** Short, because these tests wait for them to pass. */
export const LIMITS = { connectTimeoutMs: 1_000, commandTimeoutMs: 500 } as const;

export class StandingClock extends Clock {
  private time = 1_000_000;

  now(): number {
    return this.time;
  }

  monotonic(): number {
    return this.time;
  }

  pass(ms: number): void {
    this.time += ms;
  }
}

export const newId = (): Buffer => randomBytes(16);
export const newIds = (count: number): Buffer[] => Array.from({ length: count }, newId);
export const hex = (ids: readonly Buffer[]): string[] => ids.map((id) => id.toString('hex'));
export const idsOf = (deliveries: readonly Delivery[]): string[] => deliveries.flatMap(({ ids }) => hex(ids));

let queues = 0;
/** A queue nobody else in this file uses. */
export function newQueue(): string {
  queues += 1;
  return `q${queues}`;
}

export function ringOf(queue: string, ids: readonly Buffer[], lane: Lane = 'normal', tenant = 'acme'): Ring {
  return { tenant, queue, lane, ids };
}

export function reading(options: Partial<ReadOptions> = {}): ReadOptions {
  return { tasks: 100, lanes: LANES, blockMs: 0, signal: new AbortController().signal, ...options };
}

/** Reads and finishes until nothing comes any more. */
export async function drain(reader: DoorbellReader): Promise<Delivery[]> {
  const all: Delivery[] = [];
  for (;;) {
    const some = await reader.read(reading());
    if (some.length === 0) return all;
    await reader.finish(some);
    all.push(...some);
  }
}

export class Doorbells {
  readonly clock = new StandingClock();
  readonly errors: Error[] = [];
  /** What was told about Redis as a whole, in order. */
  readonly told: string[] = [];
  private readonly closers: (() => Promise<unknown>)[] = [];

  inProcess(): Doorbell {
    return new InProcessDoorbell(WINDOW, this.clock);
  }

  onRedis({ url, prefix }: RedisPlace): Doorbell {
    const doorbell = new RedisDoorbell(
      { urls: [url], ...LIMITS, onError: (error) => this.errors.push(error) },
      {
        prefix,
        window: WINDOW,
        clock: this.clock,
        report: {
          began: (reason) => this.told.push(reason),
          ended: () => this.told.push('it is over'),
          advise: (advice) => this.told.push(advice),
        },
      },
    );
    this.closers.push(() => doorbell.close());
    return doorbell;
  }

  reader(doorbell: Doorbell, queue: string, consumer = 'worker-1'): DoorbellReader {
    const reader = doorbell.open(queue, consumer);
    this.closers.push(() => reader.close());
    return reader;
  }

  /** A connection of the test's own. */
  raw(url: string): Redis {
    const redis = new Redis(url, { retryStrategy: () => 20 });
    redis.on('error', () => undefined);
    this.closers.push(async () => {
      redis.disconnect();
    });
    return redis;
  }

  async close(): Promise<void> {
    for (const close of this.closers.splice(0).reverse()) await close();
  }
}

/** A corner of this run's Redis, or null where the run has none. */
export function redisPlace(): RedisPlace | null {
  return redisBackend()?.redisUrl() ?? null;
}

export function redisBackend(): Backend | undefined {
  return backends().find((backend) => backend.name !== 'sqlite');
}

/** The keys as they are promised to operators. */
export const streamOf = (prefix: string, queue: string, lane: Lane = 'normal'): string => `${prefix}:{${queue}}:${lane}`;
export const countsOf = (prefix: string, queue: string, lane: Lane = 'normal'): string => `${streamOf(prefix, queue, lane)}:outstanding`;
