/** Settings of the worker role. */
import { queueNames } from './queue-names.js';
import { integer, text, type SettingRoles } from './setting.js';

const roles: SettingRoles = ['worker'];

export const WORKER_SETTINGS = {
  WORKER_CONCURRENCY: integer({ roles, fallback: 50, min: 1, max: 1_000, doc: 'How many tasks one worker process runs at once.' }),
  WORKER_QUEUES: queueNames({ roles, doc: 'Which queues this worker serves; `*` is all of them.' }),
  WORKER_LEASE_MS: integer({
    roles: ['worker', 'scheduler'],
    fallback: 15_000,
    min: 3_000,
    max: 300_000,
    unit: 'ms',
    doc: 'A worker whose heartbeat is seen unchanged for this long is lost, and its tasks run elsewhere.',
  }),
  WORKER_POLL_MS: integer({
    roles,
    fallback: 2_000,
    min: 50,
    max: 60_000,
    unit: 'ms',
    doc: 'How often an idle worker claims straight from the database.',
  }),
  WORKER_CANCEL_POLL_MS: integer({
    roles,
    fallback: 1_000,
    min: 100,
    max: 10_000,
    unit: 'ms',
    doc: 'How often a worker looks for requests to cancel what it runs.',
  }),
  WORKER_ABORT_GRACE_MS: integer({
    roles,
    fallback: 5_000,
    min: 100,
    max: 60_000,
    unit: 'ms',
    doc: 'How long an aborted in-process handler may take to stop before its slot is quarantined.',
  }),
  WORKER_STALL_MS: integer({
    roles,
    fallback: 30_000,
    min: 1_000,
    max: 600_000,
    unit: 'ms',
    doc: 'A main loop without progress for this long ends the process.',
  }),
  POISON_CRASHES: integer({
    roles: ['worker', 'scheduler'],
    fallback: 3,
    min: 1,
    max: 100,
    doc: 'A task that was running this many times when its worker died is dead-lettered as poison.',
  }),
  UNKNOWN_HANDLER_PAUSE_MS: integer({
    roles,
    fallback: 5_000,
    min: 100,
    max: 600_000,
    unit: 'ms',
    doc: 'Pause before a task that was given back for want of its handler is offered again.',
  }),
  HANDLERS_DIR: text({
    roles: ['api', 'worker'],
    fallback: null,
    pattern: /^[^\0]{1,4096}$/,
    accepts: 'the path of a folder',
    doc: 'A folder of `.js` and `.mjs` modules with your own handlers; the api reads it only on an embedded start.',
  }),
} as const;
