/** Settings of the limits: what a tenant may where no row of the table of limits says otherwise, and how often that table is read. */
import { integer } from './setting.js';

const BILLION = 1_000_000_000;
const TEBIBYTE = 1_099_511_627_776;

function limit(fallback: number, max: number, doc: string) {
  return integer({ fallback, min: 0, max, doc: `${doc} A row of the table of limits takes its place.` });
}

export const LIMIT_SETTINGS = {
  LIMITS_REFRESH_MS: integer({
    fallback: 5_000,
    min: 100,
    max: 600_000,
    unit: 'ms',
    doc: 'How often the table of limits is read; a change holds in every process after this time.',
  }),
  LIMITS_ROWS_MAX: integer({ fallback: 10_000, min: 100, max: 100_000, doc: 'How many rows the table of limits may have.' }),
  LIMIT_TASKS_QUEUED: limit(1_000_000, BILLION, 'How many tasks that have not ended a tenant may have.'),
  LIMIT_TASKS_RUNNING: limit(100_000, BILLION, 'How many tasks of a tenant may run at the same time.'),
  LIMIT_PAYLOAD_BYTES: integer({
    fallback: 16 * 1_073_741_824,
    min: 0,
    max: 1_024 * TEBIBYTE,
    unit: 'bytes',
    doc: "How many bytes the payloads of a tenant's tasks that have not ended may have together. A row of the table of limits takes its place.",
  }),
  LIMIT_QUEUE_DEPTH: limit(1_000_000, BILLION, 'How many tasks of a tenant that have not ended one queue may hold.'),
  LIMIT_REQUESTS_PER_MINUTE: limit(600_000, BILLION, 'How many requests of a tenant are answered in a minute.'),
  LIMIT_REQUESTS_BURST: limit(20_000, BILLION, 'How many requests of a tenant may come at once.'),
  LIMIT_WEIGHT: integer({
    fallback: 10,
    min: 1,
    max: 100,
    doc: 'The share of a tenant where several have tasks waiting in one queue, against the shares of the others. A row of the table of limits takes its place.',
  }),
} as const;
