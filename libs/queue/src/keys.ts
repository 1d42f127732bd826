/**
 * Every Redis key, and its type. The queue is the hash tag, so all keys of a queue live in one slot of a Redis Cluster and
 * may be used in one command; different queues spread over the cluster.
 */
import type { Lane } from './lanes.js';

/** The consumer group that all workers share. */
export const GROUP = 'workers';

export class Keys {
  constructor(private readonly prefix: string) {}

  /** STREAM: entries {t: tenant, i: ids side by side, 16 bytes each}. */
  stream(queue: string, lane: Lane): string {
    return `${this.prefix}:{${queue}}:${lane}`;
  }

  /** STRING that says nothing, written to learn whether Redis takes writes, and gone soon after. */
  probe(): string {
    return `${this.prefix}:probe`;
  }

  /** HASH tenant → tasks named by entries that nobody has finished. */
  outstanding(queue: string, lane: Lane): string {
    return `${this.prefix}:{${queue}}:${lane}:outstanding`;
  }
}
