/** Settings of the connections to the database and to Redis. */
import { databaseUrl, redisUrls } from './addresses.js';
import { choice, integer, text } from './setting.js';

export const CONNECTION_SETTINGS = {
  DATABASE_URL: databaseUrl({
    fallback: 'sqlite:data/taskrunnerx.db',
    secret: true,
    doc: 'Where the tasks are kept: a MySQL-family server, or one SQLite file with `ROLE=all` and without Redis.',
  }),
  DATABASE_POOL_SIZE: integer({ fallback: 10, min: 2, max: 200, doc: 'Most connections one process opens to the database.' }),
  DATABASE_CONNECT_TIMEOUT_MS: integer({
    fallback: 5_000,
    min: 500,
    max: 60_000,
    unit: 'ms',
    doc: 'How long opening a connection may take.',
  }),
  DATABASE_BOOT_TIMEOUT_MS: integer({
    fallback: 60_000,
    min: 0,
    max: 600_000,
    unit: 'ms',
    doc: 'How long a starting process waits for a database that does not answer yet.',
  }),
  DATABASE_ACQUIRE_TIMEOUT_MS: integer({
    fallback: 5_000,
    min: 100,
    max: 60_000,
    unit: 'ms',
    doc: 'How long a statement may wait for a free connection of the pool.',
  }),
  DATABASE_STATEMENT_TIMEOUT_MS: integer({
    fallback: 10_000,
    min: 1_000,
    max: 300_000,
    unit: 'ms',
    doc: 'How long one statement may run.',
  }),
  DATABASE_LOCK_TIMEOUT_MS: integer({
    fallback: 3_000,
    min: 1_000,
    max: 60_000,
    unit: 'ms',
    step: 1_000,
    doc: 'How long a statement may wait for a row lock; the engines count it in whole seconds.',
  }),
  DATABASE_IDLE_TRANSACTION_TIMEOUT_MS: integer({
    fallback: 5_000,
    min: 1_000,
    max: 60_000,
    unit: 'ms',
    step: 1_000,
    doc: 'How long a MySQL-family server keeps the row locks of a process that stands still, or was cut off, in the middle of a transaction.',
  }),
  DATABASE_TLS: choice({
    values: ['off', 'verify'],
    fallback: 'off',
    doc: 'Whether connections to a MySQL-family server use TLS with a verified certificate.',
  }),
  REDIS_URL: redisUrls({
    secret: true,
    doc: 'The doorbell. Unset: an in-process queue, only with `ROLE=all`. Two or more addresses mean Redis Cluster.',
  }),
  REDIS_KEY_PREFIX: text({
    fallback: 'trx',
    pattern: /^[a-z0-9-]{1,32}$/,
    accepts: '1 to 32 of a-z 0-9 -',
    doc: 'First part of every Redis key, so that several installations can share a server.',
  }),
  REDIS_CONNECT_TIMEOUT_MS: integer({
    fallback: 5_000,
    min: 500,
    max: 60_000,
    unit: 'ms',
    doc: 'How long opening a connection to Redis may take.',
  }),
  REDIS_COMMAND_TIMEOUT_MS: integer({
    fallback: 2_000,
    min: 100,
    max: 30_000,
    unit: 'ms',
    doc: 'How long a Redis command may take before Redis counts as away.',
  }),
} as const;
