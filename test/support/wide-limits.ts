/** Limits so wide that nothing in a test meets them; a suite that wants to writes rows for narrower ones. */
import type { TenantLimits } from '@app/limits';

export const WIDE_LIMITS: TenantLimits = {
  'tasks.queued': 1_000_000,
  'tasks.running': 1_000_000,
  'payload.bytes': 1_000_000_000,
  'queue.depth': 1_000_000,
  'requests.perMinute': 1_000_000,
  'requests.burst': 1_000_000,
  weight: 10,
};
