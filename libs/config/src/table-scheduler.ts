/** Settings of the scheduler role: how often its loops run, how patient they are, and how long finished tasks are kept. */
import { integer, toggle, type SettingRoles } from './setting.js';

const roles: SettingRoles = ['scheduler'];
const DAY_MS = 86_400_000;

function every(fallback: number, min: number, doc: string) {
  return integer({ roles, fallback, min, max: 60_000, unit: 'ms', doc });
}

function retention(days: number, doc: string) {
  return integer({ roles, fallback: days * DAY_MS, min: 60_000, max: 3_650 * DAY_MS, unit: 'ms', doc });
}

function kept(days: number, state: string) {
  return retention(days, `How long ${state} tasks are kept after they finished.`);
}

export const SCHEDULER_SETTINGS = {
  SCHEDULER_PROMOTE_MS: every(500, 50, 'How often due tasks are moved to their queue.'),
  SCHEDULER_SWEEP_MS: every(5_000, 200, 'How often lost workers are looked for; at most `WORKER_LEASE_MS`.'),
  SCHEDULER_RECONCILE_MS: every(5_000, 200, 'How often queued tasks whose doorbell message was lost are looked for.'),
  SCHEDULER_EXPIRE_MS: every(1_000, 100, 'How often expired tasks and passed deadlines are looked for.'),
  SCHEDULER_BULK_MS: every(500, 50, 'How often bulk operations that are due are looked for.'),
  SCHEDULER_PRUNE_MS: integer({
    roles,
    fallback: 60_000,
    min: 1_000,
    max: 3_600_000,
    unit: 'ms',
    doc: 'How often finished tasks past their retention are deleted.',
  }),
  RECONCILE_GRACE_MS: integer({
    roles,
    fallback: 10_000,
    min: 1_000,
    max: 600_000,
    unit: 'ms',
    doc: 'How long a rung task may stay unclaimed, with an empty stream or without Redis, before it is offered again.',
  }),
  UNKNOWN_HANDLER_GRACE_MS: integer({
    roles: ['worker'],
    fallback: 60_000,
    min: 1_000,
    max: DAY_MS,
    unit: 'ms',
    doc: 'How long live workers must have served a queue, none of them with the handler, before its task fails as `unknown_handler`.',
  }),
  RETENTION_SUCCEEDED_MS: kept(7, 'succeeded'),
  RETENTION_FAILED_MS: kept(30, 'failed'),
  RETENTION_CANCELLED_MS: kept(7, 'cancelled'),
  RETENTION_EXPIRED_MS: kept(7, 'expired'),
  RETENTION_AUDIT_MS: retention(90, 'How long an entry of the audit log is kept.'),
  RETENTION_BULK_MS: retention(30, 'How long a bulk operation is kept after it finished.'),
  IDEMPOTENCY_RETENTION_MS: integer({
    roles,
    fallback: DAY_MS,
    min: 60_000,
    max: 30 * DAY_MS,
    unit: 'ms',
    doc: 'How long an `Idempotency-Key` is remembered.',
  }),
  HEARTBEAT_TASK: toggle({ roles, fallback: true, doc: 'Whether a heartbeat task runs every minute and its latency is kept for health.' }),
} as const;
