/**
 * A backlog far beyond what the door holds, submitted while no worker is there, and the streams deleted in the middle of its
 * execution: every task runs, once. `TEST_BACKLOG` is how many tasks; CI is content with ten thousand.
 */
import { afterAll, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { Backend } from '../support/backends.js';
import { useFleet } from '../support/fleet.js';
import { Installation } from '../support/installation.js';
import { Journal } from '../support/journal.js';
import { onServers } from '../support/on-servers.js';
import { removeDirectory, temporaryDirectory } from '../support/reaper.js';
import { leftInStreams } from '../support/streams.js';
import { statesInTable } from '../support/tables.js';
import { until } from '../support/until.js';

const TASKS = Number(process.env['TEST_BACKLOG'] ?? 10_000);
const BATCH = 1_000;
const DOOR = 1_000;
const ENV = {
  DOORBELL_WINDOW: String(DOOR),
  WORKER_LEASE_MS: '5000',
  WORKER_POLL_MS: '300',
  SCHEDULER_RECONCILE_MS: '300',
  RECONCILE_GRACE_MS: '1000',
};

onServers('a backlog', (backend: Backend) => {
  const fleet = useFleet();
  const directory = temporaryDirectory('backlog');
  const journal = new Journal(directory);
  afterAll(() => {
    removeDirectory(directory);
  });

  it(`of ${TASKS} tasks without a worker costs Redis no more than a window, and all of it runs although the streams are deleted midway`, async () => {
    const place = backend.redisUrl();
    if (place === null) throw new Error('there is no Redis');
    const redis = new Redis(place.url, { keyPrefix: '' });
    const env = { ...ENV, REDIS_KEY_PREFIX: place.prefix };
    const installation = await Installation.start({ fleet, backend, handlersDir: journal.handlersDir, workers: 0, env });
    const client = installation.client();
    const body = { tasks: Array.from({ length: BATCH }, (_, index) => ({ name: 'counted.echo', payload: index, queue: 'backlog' })) };
    const ids: string[] = [];
    for (let sent = 0; sent < TASKS; sent += BATCH) {
      const { items } = await client.submitBatch(body.tasks);
      ids.push(...items.map(({ task }) => task?.id ?? ''));
    }
    const prefix = installation.env['REDIS_KEY_PREFIX'] ?? '';
    const stream = `${prefix}:{backlog}:normal`;
    expect(await redis.xlen(stream)).toBeLessThanOrEqual(2 * DOOR);
    expect(Number(((await redis.xinfo('STREAM', stream)) as unknown[]).at(1))).toBeGreaterThan(0);
    await Promise.all([installation.addWorker(), installation.addWorker()]);
    await until(() => journal.starts().size > TASKS / 4, { deadlineMs: 60_000, everyMs: 100, what: 'a quarter to have started' });
    await redis.del(stream);
    await until(async () => (await statesInTable(installation.env['DATABASE_URL'] ?? '', 'acme'))['succeeded'] === ids.length, {
      deadlineMs: 120_000 + TASKS * 5,
      everyMs: 500,
      what: 'every task to succeed',
    });
    const starts = journal.starts();
    expect(ids.filter((id) => starts.get(id) !== 1)).toEqual([]);
    await until(async () => (await leftInStreams(place.url, prefix)) === 0, { deadlineMs: 20_000, what: 'empty streams' });
    redis.disconnect();
  }, 600_000);
});
