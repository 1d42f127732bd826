/**
 * A worker killed in the middle, and Redis wiped in the middle: every task still ends, none is stuck, and no more executions
 * were repeated than the dead worker can have had in its hands.
 */
import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { backends, newDatabase, type Backend } from '../support/backends.js';
import { endpoints } from '../support/servers/endpoints.js';
import { canStartRedis, startRedis } from '../support/servers/private.js';
import { useFleet } from '../support/fleet.js';
import { Installation } from '../support/installation.js';
import { Journal } from '../support/journal.js';
import { onServers } from '../support/on-servers.js';
import { removeDirectory, temporaryDirectory } from '../support/reaper.js';
import { ask } from '../support/tables.js';
import { until } from '../support/until.js';
import type { Client } from '../support/client.js';

const TASKS = 300;
const FAST = {
  WORKER_LEASE_MS: '3000',
  SCHEDULER_SWEEP_MS: '500',
  SCHEDULER_RECONCILE_MS: '500',
  RECONCILE_GRACE_MS: '2000',
  WORKER_POLL_MS: '500',
};

async function submitSleepers(client: Client, ms: number): Promise<string[]> {
  const { items } = await client.submitBatch(Array.from({ length: TASKS }, () => ({ name: 'counted.sleep', payload: { ms } })));
  return items.map((item) => item.task?.id ?? '');
}

/** How many tasks run that only the note of their claim leads to. */
async function runningByNote({ env }: Installation): Promise<number> {
  const text = "SELECT COUNT(*) AS total FROM tasks WHERE state = 'running' AND phase = 'unrung'";
  return Number((await ask<{ total: number }>(env['DATABASE_URL'] ?? '', text))[0]?.total);
}

/** Resolves when all have succeeded; returns how often each was started. */
async function allSucceed(client: Client, ids: readonly string[], journal: Journal): Promise<number[]> {
  await until(async () => (await client.listAll({ state: 'succeeded' })).length === ids.length, {
    deadlineMs: 60_000,
    everyMs: 250,
    what: 'every task to succeed',
  });
  const starts = journal.starts();
  return ids.map((id) => starts.get(id) ?? 0);
}

describe.each(backends())('on $name', (backend: Backend) => {
  const fleet = useFleet();
  const directories: string[] = [];
  let journal: Journal;
  beforeEach(() => {
    const directory = temporaryDirectory('kills');
    directories.push(directory);
    journal = new Journal(directory);
  });
  afterAll(() => {
    directories.forEach(removeDirectory);
  });

  it.each<[string, Record<string, string>, number, number, boolean]>([
    ['that messages named', {}, 20, 40, false],
    // All slots become free at about the same time, and are filled by claims that leave notes.
    ['of the backlog', { DOORBELL_WINDOW: '1' }, 40, 400, true],
  ])(
    'a worker that is killed costs seconds, and at most what it had in its hands, %s',
    async (_whose, more, concurrency, ms, isNoted) => {
      const env = { ...FAST, ...more, WORKER_CONCURRENCY: String(concurrency) };
      const installation = await Installation.start({ fleet, backend, handlersDir: journal.handlersDir, workers: 1, env });
      const ids = await submitSleepers(installation.client(), ms);
      await until(() => journal.starts().size > TASKS / 4, { what: 'a quarter of the tasks to have started' });
      const areNoted = async (): Promise<boolean> => (await runningByNote(installation)) > 0;
      // An embedded file is its process's alone, and is asked afterwards.
      const isEmbedded = backend.name === 'sqlite';
      if (isNoted && !isEmbedded) await until(areNoted, { everyMs: 10, what: 'tasks that run by a note' });
      installation.workers[0]?.kill('SIGKILL');
      await installation.workers[0]?.exited;
      if (isNoted && isEmbedded) expect(await areNoted()).toBe(true);
      const revived = await installation.addWorker();
      const client = isEmbedded ? installation.clientOf(revived) : installation.client();
      const starts = await allSucceed(client, ids, journal);
      expect(starts.filter((count) => count < 1)).toEqual([]);
      expect(starts.reduce((sum, count) => sum + count - 1, 0)).toBeLessThanOrEqual(concurrency);
      const lost = (await Promise.all(ids.map((id) => client.attempts(id)))).flat().filter(({ outcome }) => outcome === 'lost');
      expect(lost.length).toBeLessThanOrEqual(concurrency);
      for (const task of await client.listAll()) expect(task.failures).toBe(0);
    },
    120_000,
  );
});

onServers('with a Redis of its own', restartsRedis, { when: canStartRedis() });

function restartsRedis(backend: Backend): void {
  const fleet = useFleet();
  const directory = temporaryDirectory('flush');
  const journal = new Journal(directory);
  afterAll(() => {
    removeDirectory(directory);
  });

  it('a Redis that is flushed, stopped for a while and restarted empty loses nothing', async () => {
    const server = await startRedis();
    const addresses = { DATABASE_URL: await newDatabase(endpoints().database?.url ?? ''), REDIS_URL: server.url };
    const env = { ...FAST, WORKER_CONCURRENCY: '10' };
    const installation = await Installation.start({ fleet, backend, handlersDir: journal.handlersDir, workers: 2, env, addresses });
    const client = installation.client();
    const redis = new Redis(server.url);
    const ids = await submitSleepers(client, 30);
    await until(() => journal.starts().size > TASKS / 5, { what: 'a fifth of the tasks to have started' });
    await redis.flushall();
    redis.disconnect();
    ids.push(...(await submitSleepers(client, 30)));
    await server.kill9();
    // Redis is away: tasks are accepted and run all the same, and readiness stays.
    const during = await client.submit({ name: 'counted.echo', payload: 'while Redis is away' });
    expect(during.state).toBe('queued');
    await client.finished(during.id, 30_000);
    const health = await client.request<{ status: string; degraded: boolean }>('GET', '/health');
    expect(health).toMatchObject({ status: 200, body: { status: 'ok', degraded: true } });
    expect((await client.request('GET', '/health/ready')).status).toBe(200);
    await server.restart();
    ids.push(during.id);
    const starts = await allSucceed(client, ids, journal);
    expect(starts.every((count) => count === 1)).toBe(true);
    await until(async () => !(await client.request<{ degraded: boolean }>('GET', '/health')).body.degraded, {
      what: 'Redis to be back',
    });
    const after = await client.submit({ name: 'counted.echo' }, { waitSeconds: 20 });
    expect(after.state).toBe('succeeded');
    await server.remove();
  }, 120_000);
}
