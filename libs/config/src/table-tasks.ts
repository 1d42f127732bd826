/** Settings of the tasks themselves: how large they may be, and the policy of those that bring none. */
import { choice, decimal, integer, type SettingRoles } from './setting.js';

const KIB = 1_024;
const MIB = 1_048_576;
const DAY_MS = 86_400_000;
/** The api tells them where a submission is only tried. */
const policyRoles: SettingRoles = ['api', 'worker'];

export const TASK_SETTINGS = {
  PAYLOAD_MAX_BYTES: integer({
    roles: ['api'],
    fallback: 256 * KIB,
    min: KIB,
    max: 4 * MIB,
    unit: 'bytes',
    doc: 'Largest payload of a task.',
  }),
  RESULT_MAX_BYTES: integer({
    roles: ['worker'],
    fallback: 256 * KIB,
    min: KIB,
    max: 4 * MIB,
    unit: 'bytes',
    doc: 'Largest result of a handler.',
  }),
  CHECKPOINT_MAX_BYTES: integer({
    roles: ['worker'],
    fallback: 64 * KIB,
    min: KIB,
    max: 4 * MIB,
    unit: 'bytes',
    doc: 'Largest checkpoint of a handler.',
  }),
  SNOOZES_MAX: integer({
    roles: ['worker'],
    fallback: 1_000,
    min: 1,
    max: 1_000_000,
    doc: 'How often a task may be put off by its handler before it is dead-lettered.',
  }),
  BATCH_MAX_BYTES: integer({
    roles: ['api'],
    fallback: 8 * MIB,
    min: 64 * KIB,
    max: 64 * MIB,
    unit: 'bytes',
    doc: 'Largest body of a batch submission; at least `PAYLOAD_MAX_BYTES`.',
  }),
  BULK_RATE_PER_SECOND: integer({
    roles: ['api'],
    fallback: 100,
    min: 1,
    max: 1_000,
    doc: 'How many tasks a bulk operation moves per second where it does not say so itself.',
  }),
  BULK_RUNNING_MAX: integer({
    roles: ['api'],
    fallback: 5,
    min: 1,
    max: 100,
    doc: 'How many bulk operations of one tenant may run at a time.',
  }),
  DOORBELL_WINDOW: integer({
    fallback: 256,
    min: 1,
    max: 100_000,
    doc: 'Most doorbell messages outstanding per tenant, queue and lane; tasks beyond it wait in the database.',
  }),
  RETRY_MAX_ATTEMPTS: integer({
    roles: policyRoles,
    fallback: 5,
    min: 1,
    max: 100,
    doc: 'How often a task may fail before it is dead-lettered, the last failure included.',
  }),
  RETRY_BACKOFF: choice({
    roles: policyRoles,
    values: ['exponential', 'linear', 'fixed'],
    fallback: 'exponential',
    doc: 'How the pause between attempts grows.',
  }),
  RETRY_BASE_MS: integer({ roles: policyRoles, fallback: 1_000, min: 0, max: DAY_MS, unit: 'ms', doc: 'Pause before the second attempt.' }),
  RETRY_MAX_MS: integer({
    roles: policyRoles,
    fallback: 3_600_000,
    min: 0,
    max: DAY_MS,
    unit: 'ms',
    doc: 'Longest pause between attempts; at least `RETRY_BASE_MS`.',
  }),
  RETRY_JITTER: decimal({ roles: policyRoles, fallback: 0.2, min: 0, max: 1, doc: 'Share of the pause that is random.' }),
  TASK_TIMEOUT_MS: integer({
    roles: policyRoles,
    fallback: 300_000,
    min: 1,
    max: DAY_MS,
    unit: 'ms',
    doc: 'How long one attempt may run where neither the task nor its handler says so.',
  }),
} as const;
