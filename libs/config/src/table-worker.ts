/** Settings of the worker role. */
import { absolutePaths } from './absolute-paths.js';
import { queueNames } from './queue-names.js';
import { integer, text, type SettingRoles } from './setting.js';
import { variableNames } from './variable-names.js';

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
    doc: 'How long an aborted handler may take to stop before its slot is quarantined, or, where it is isolated, it is ended.',
  }),
  WORKER_STALL_MS: integer({
    roles,
    fallback: 30_000,
    min: 1_000,
    max: 600_000,
    unit: 'ms',
    doc: 'A main loop without progress for this long ends the process.',
  }),
  WORKER_BLOCK_WARN_MS: integer({
    roles,
    fallback: 1_000,
    min: 100,
    max: 600_000,
    unit: 'ms',
    doc: 'A main loop without progress for this long is logged, with the task and the line of code that hold it.',
  }),
  POISON_CRASHES: integer({
    roles: ['worker', 'scheduler'],
    fallback: 3,
    min: 1,
    max: 100,
    doc: 'A task that was running this many times when its worker died is dead-lettered as poison.',
  }),
  ABANDON_LOOK_MS: integer({
    roles,
    fallback: 10_000,
    min: 100,
    max: 3_600_000,
    unit: 'ms',
    doc: 'How often a resource that a task holds is looked at, for whether its task has ended; after a minute or so six times as rarely.',
  }),
  ABANDON_TIMEOUT_MS: integer({
    roles,
    fallback: 60_000,
    min: 100,
    max: 3_600_000,
    unit: 'ms',
    doc: 'How long one call of an `onAbandon` hook may take.',
  }),
  ABANDON_RETRY_MAX_MS: integer({
    roles,
    fallback: 3_600_000,
    min: 100,
    max: 86_400_000,
    unit: 'ms',
    doc: 'Longest pause between two calls of the `onAbandon` hook for one resource; it is called until it succeeds.',
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
    doc: 'A folder of `.js` and `.mjs` modules with your own handlers; an api without a worker only reads what their payloads look like.',
  }),
  PROCESS_RUN_ALLOW: absolutePaths({
    roles,
    what: 'programs',
    doc: 'The programs that the handler `process.run` may start; without it there is no such handler.',
  }),
  PROCESS_RUN_DIRECTORIES: absolutePaths({
    roles,
    what: 'folders',
    doc: 'Where a task of `process.run` may place the working directory of its program: in these folders and below. Unset: anywhere.',
  }),
  PROCESS_RUN_ENV_ALLOW: variableNames({
    roles,
    doc: 'The environment variables that a task of `process.run` may set for its program. Unset: none.',
  }),
  ISOLATE_MEMORY_MB: integer({
    roles,
    fallback: 256,
    min: 16,
    max: 65_536,
    doc: 'Memory in MiB of an isolated handler that names no `memoryMb`.',
  }),
  ISOLATE_START_MS: integer({
    roles,
    fallback: 15_000,
    min: 100,
    max: 120_000,
    unit: 'ms',
    doc: 'How long the thread or process of an isolated handler may take to start and to load its module.',
  }),
  ISOLATE_IDLE_MS: integer({
    roles,
    fallback: 60_000,
    min: 0,
    max: 3_600_000,
    unit: 'ms',
    doc: 'How long a thread or process of isolated handlers without work is kept for the next attempt.',
  }),
  ISOLATE_IDLE_MAX: integer({
    roles,
    fallback: 8,
    min: 0,
    max: 1_000,
    doc: 'How many threads and processes of isolated handlers without work are kept; 0 starts one for every attempt.',
  }),
  ISOLATE_ENV: variableNames({
    roles,
    doc: 'Which variables of the worker isolated handlers see, besides `PATH`, `HOME`, `TZ`, `LANG` and `NODE_ENV`.',
  }),
} as const;
