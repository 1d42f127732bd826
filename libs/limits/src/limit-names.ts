/** The limits there are, what each bounds, and which values it may have. A limit without a row has the value of its setting. */
import type { Config } from '@app/config';

export const LIMIT_NAMES = [
  'tasks.queued',
  'tasks.running',
  'payload.bytes',
  'queue.depth',
  'requests.perMinute',
  'requests.burst',
  'weight',
] as const;
export type LimitName = (typeof LIMIT_NAMES)[number];

/** The only limit that one queue of a tenant may have to itself. */
export const QUEUE_LIMIT = 'queue.depth' satisfies LimitName;

/** In place of a tenant: every tenant that has no row of its own. */
export const EVERY_TENANT = '*';

/** Smallest and largest value, both inclusive. Zero forbids; a weight has no zero, because a tenant of no weight would never run. */
export const LIMIT_BOUNDS: Readonly<Record<LimitName, { min: number; max: number }>> = {
  'tasks.queued': { min: 0, max: 1_000_000_000 },
  'tasks.running': { min: 0, max: 1_000_000_000 },
  'payload.bytes': { min: 0, max: 1_024 * 1_099_511_627_776 },
  'queue.depth': { min: 0, max: 1_000_000_000 },
  'requests.perMinute': { min: 0, max: 1_000_000_000 },
  'requests.burst': { min: 0, max: 1_000_000_000 },
  weight: { min: 1, max: 100 },
};

/** What a tenant may. `queue.depth` is what each of its queues may hold that has no limit of its own. */
export type TenantLimits = Readonly<Record<LimitName, number>>;

/** What the settings say. */
export function defaultLimits(config: Config): TenantLimits {
  return {
    'tasks.queued': config.limitTasksQueued,
    'tasks.running': config.limitTasksRunning,
    'payload.bytes': config.limitPayloadBytes,
    'queue.depth': config.limitQueueDepth,
    'requests.perMinute': config.limitRequestsPerMinute,
    'requests.burst': config.limitRequestsBurst,
    weight: config.limitWeight,
  };
}

export function isLimitName(text: string): text is LimitName {
  return (LIMIT_NAMES as readonly string[]).includes(text);
}
