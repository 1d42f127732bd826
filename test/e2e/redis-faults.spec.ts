/**
 * A Redis that is there and no use: full, turned into a replica, hung, or with its streams, groups and readers taken away or
 * replaced, while tasks are submitted and run. Submissions are accepted, every task runs once, health says why it is slower, the
 * log says it once, and afterwards messages flow again by themselves. One installation lives through all of it.
 */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { ageReaders } from '../integration/queue/reader-age.js';
import { newDatabase, type Backend } from '../support/backends.js';
import type { Client } from '../support/client.js';
import { useFleet } from '../support/fleet.js';
import { Installation } from '../support/installation.js';
import { Journal } from '../support/journal.js';
import { onServers } from '../support/on-servers.js';
import type { App } from '../support/process.js';
import { removeDirectory, temporaryDirectory } from '../support/reaper.js';
import { endpoints } from '../support/servers/endpoints.js';
import { canStartRedis, startRedis } from '../support/servers/private.js';
import type { PrivateServer } from '../support/servers/server.js';
import { leftInStreams } from '../support/streams.js';
import { until } from '../support/until.js';

const PREFIX = 'faults';
const STREAM = `${PREFIX}:{default}:normal`;
const TASKS = 60;
const ENV = {
  REDIS_COMMAND_TIMEOUT_MS: '500',
  REDIS_CONNECT_TIMEOUT_MS: '1000',
  REDIS_KEY_PREFIX: PREFIX,
  WORKER_LEASE_MS: '6000',
  WORKER_POLL_MS: '300',
  SCHEDULER_RECONCILE_MS: '300',
  RECONCILE_GRACE_MS: '1000',
};
const OUT_OF_ORDER = 'The doorbell is out of order';

interface Health {
  status: string;
  degraded: boolean;
  details: { doorbell: { rings: boolean; trouble?: string; advice?: string } };
}

onServers('a Redis of its own', livesThroughFaults, { when: canStartRedis() });

function livesThroughFaults(backend: Backend): void {
  const fleet = useFleet();
  const directory = temporaryDirectory('redis-faults');
  const journal = new Journal(directory);
  let server: PrivateServer;
  let redis: Redis;
  let installation: Installation;
  let client: Client;
  let apps: readonly App[];

  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url, { retryStrategy: () => 50 });
    redis.on('error', () => undefined);
    const addresses = { DATABASE_URL: await newDatabase(endpoints().database?.url ?? ''), REDIS_URL: server.url };
    installation = await Installation.start({ fleet, backend, handlersDir: journal.handlersDir, workers: 2, env: ENV, addresses });
    client = installation.client();
    apps = [installation.api, installation.scheduler, ...installation.workers];
  }, 90_000);
  afterAll(async () => {
    redis.disconnect();
    await server.remove();
    removeDirectory(directory);
  });

  const health = async (): Promise<Health> => (await client.request<Health>('GET', '/health')).body;
  const submitMany = async (): Promise<string[]> => {
    const answers = await Promise.all(
      Array.from({ length: TASKS }, (_, index) =>
        client.request<{ id: string }>('POST', '/api/tasks', { body: { name: 'counted.echo', payload: index, priority: (index % 3) - 1 } }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
    return answers.map(({ body }) => body.id);
  };
  const allRanOnce = async (ids: readonly string[]): Promise<void> => {
    const starts = (): number[] => ids.map((id) => journal.starts().get(id) ?? 0);
    await until(() => starts().every((count) => count > 0), { deadlineMs: 30_000, what: 'every task to run' });
    for (const id of ids) expect((await client.finished(id)).state).toBe('succeeded');
    expect(starts()).toEqual(ids.map(() => 1));
  };
  /** Nothing but the stream's own counter can tell that a task came by way of a message. */
  const added = async (): Promise<number> => {
    const fields = (await redis.xinfo('STREAM', STREAM)) as unknown[];
    return Number(fields[fields.indexOf('entries-added') + 1]);
  };
  const messagesFlow = async (): Promise<void> => {
    await until(async () => !(await health()).degraded, { what: 'health to be whole' });
    await until(
      async () => {
        const before = await added().catch(() => 0);
        const task = await client.submit({ name: 'counted.echo' }, { waitSeconds: 10 });
        return task.state === 'succeeded' && (await added()) > before;
      },
      { deadlineMs: 20_000, what: 'a task to come by way of a message' },
    );
  };
  const told = (app: App, since: number): number =>
    app
      .logs()
      .slice(since)
      .filter(({ msg }) => msg.startsWith(OUT_OF_ORDER)).length;
  /** Runs `during` while Redis takes no messages; every process may say so once, and nothing else is written again and again. */
  const throughOutage = async (reason: string, begin: () => Promise<unknown>, end: () => Promise<unknown>): Promise<void> => {
    // Before it begins: a process that asks Redis at that moment tells of it at once.
    const marks = apps.map((app) => app.logs().length);
    await begin();
    const ids = await submitMany();
    await until(async () => (await health()).details.doorbell.trouble?.includes(reason), { what: `health to say "${reason}"` });
    expect(await health()).toMatchObject({ status: 'ok', degraded: true, details: { doorbell: { rings: false } } });
    expect((await client.request('GET', '/health/ready')).status).toBe(200);
    ids.push(...(await submitMany()));
    await allRanOnce(ids);
    await end();
    await messagesFlow();
    apps.forEach((app, index) => {
      expect(told(app, marks[index] ?? 0)).toBeLessThanOrEqual(1);
      const loud = app
        .logs()
        .slice(marks[index])
        .filter(({ level }) => level === 'warn');
      expect(loud.length).toBeLessThanOrEqual(12);
    });
    expect(told(installation.api, marks[0] ?? 0)).toBe(1);
  };

  it('that is full stops no submission and no worker, and takes messages again when there is room', async () => {
    await messagesFlow();
    const used = Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
    for (let count = 0; count < 64; count += 1) await redis.set(`somebody-else:${count}`, 'x'.repeat(16 * 1024));
    const fill = async (): Promise<void> => {
      await redis.config('SET', 'maxmemory', String(used + 512 * 1024));
      await expect(redis.set('somebody-else:more', 'x')).rejects.toThrow('OOM');
    };
    await throughOutage('full', fill, async () => redis.del(...(await redis.keys('somebody-else:*'))));
  }, 90_000);

  it('that becomes a read-only replica of nobody is worked around, and used again when it is a primary', async () => {
    await redis.config('SET', 'maxmemory', '0');
    await throughOutage(
      'read-only',
      () => redis.replicaof('127.0.0.1', 1),
      () => redis.replicaof('NO', 'ONE'),
    );
  }, 90_000);

  it('that becomes the replica of another, empty server loses nothing with its data', async () => {
    const other = await startRedis();
    const address = new URL(other.url);
    await redis.config('SET', 'masterauth', address.password);
    const follow = async (): Promise<void> => {
      await redis.replicaof(address.hostname, Number(address.port));
      await until(async () => (await redis.info('replication')).includes('master_link_status:up'), { what: 'the replica to follow' });
    };
    await throughOutage('read-only', follow, () => redis.replicaof('NO', 'ONE'));
    await other.remove();
  }, 90_000);

  it('that hangs, under waiting readers and for longer than every limit, delays nobody beyond them', async () => {
    const marks = apps.map((app) => app.logs().length);
    await server.freeze();
    const frozenAt = performance.now();
    const ids = await submitMany();
    await until(async () => (await health()).degraded, { what: 'the silence to be noticed' });
    ids.push(...(await submitMany()));
    await allRanOnce(ids);
    // Longer than a blocking read, its limits and a connection together.
    await until(() => performance.now() - frozenAt > 10_000, { deadlineMs: 15_000, what: 'ten seconds of silence' });
    ids.push(...(await submitMany()));
    await server.thaw();
    await allRanOnce(ids);
    await messagesFlow();
    apps.forEach((app, index) => {
      expect(told(app, marks[index] ?? 0)).toBeLessThanOrEqual(1);
    });
  }, 90_000);

  it.each<[string, () => Promise<unknown>]>([
    ['its stream deleted', () => redis.del(STREAM)],
    ['its group destroyed', () => redis.xgroup('DESTROY', STREAM, 'workers')],
    ['its readers deleted', () => deleteReaders()],
    ['everything flushed', () => redis.flushall()],
    ['something else in its place', () => redis.multi().del(STREAM).set(STREAM, 'not a stream').exec()],
  ])(
    'that has %s under working and under absent workers runs every task',
    async (_what, harm) => {
      const ids = await submitMany();
      await harm();
      ids.push(...(await submitMany()));
      installation.workers.forEach((worker) => worker.kill('SIGSTOP'));
      ids.push(...(await submitMany()));
      await harm();
      ids.push(...(await submitMany()));
      installation.workers.forEach((worker) => worker.kill('SIGCONT'));
      await allRanOnce(ids);
      if ((await redis.type(STREAM)) === 'string') await redis.del(STREAM);
      await messagesFlow();
    },
    60_000,
  );

  it('is left with empty streams, nothing pending, and no trace of a worker that was killed', async () => {
    const victim = await installation.addWorker();
    const [name = ''] = (await client.workers()).filter(({ pid }) => pid === victim.pid).map(({ id }) => id);
    const isReader = async (): Promise<boolean> => (await readers()).includes(name);
    // Redis knows a reader from its first message on.
    await until(async () => (await submitMany()).length > 0 && (await isReader()), { everyMs: 200, what: 'the new worker to read' });
    victim.kill('SIGKILL');
    await victim.exited;
    expect(await isReader()).toBe(true);
    await ageReaders(redis, STREAM, [name], 10 * 60_000);
    await until(async () => !(await isReader()), { what: 'the reader of the dead worker to be removed' });
    await until(async () => (await leftInStreams(server.url, PREFIX)) === 0, { deadlineMs: 20_000, what: 'empty streams' });
  }, 60_000);

  async function readers(): Promise<string[]> {
    const found = (await redis.xinfo('CONSUMERS', STREAM, 'workers')) as unknown[][];
    return found.map((fields) => String(fields[fields.indexOf('name') + 1])).filter((name) => name !== 'janitor');
  }

  async function deleteReaders(): Promise<void> {
    for (const name of await readers()) await redis.xgroup('DELCONSUMER', STREAM, 'workers', name);
  }
}
