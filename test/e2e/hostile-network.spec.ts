/**
 * The whole system on a network that nobody trusts, with no more rights than it needs: TLS to the database and to Redis, both
 * verified, a user of the database who may read and write rows and nothing else, and another one who migrates.
 */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createConnection, type Connection } from 'mysql2/promise';
import type { Backend } from '../support/backends.js';
import { Client } from '../support/client.js';
import { useFleet } from '../support/fleet.js';
import { Journal } from '../support/journal.js';
import { migrateWith } from '../support/migrate.js';
import { onServers } from '../support/on-servers.js';
import type { App } from '../support/process.js';
import { removeDirectory, temporaryDirectory } from '../support/reaper.js';
import { Authority } from '../support/servers/certificates.js';
import { canStartServersWithTls, startDatabaseWithTls, startRedisWithTls } from '../support/servers/private.js';
import { signToken, TEST_SECRET } from '../support/token.js';
import { until } from '../support/until.js';
import type { WireNewTask } from '../support/wire.js';

const NAME = 'servers.example';
const DATABASE = 'taskrunnerx';
const PASSWORD = 'only-for-this-test';

onServers('a network that nobody trusts', runsThere, { when: canStartServersWithTls() });

function runsThere(_backend: Backend): void {
  const fleet = useFleet();
  const directory = temporaryDirectory('hostile');
  const journal = new Journal(directory);
  const closers: (() => Promise<void>)[] = [];
  let admin: Connection;
  let env: Record<string, string>;
  let as: (user: string) => Record<string, string>;

  beforeAll(async () => {
    const ours = new Authority(directory, 'ours');
    const database = await startDatabaseWithTls(ours.issue(NAME));
    closers.push(() => database.remove());
    const redis = await startRedisWithTls(ours.issue(NAME, 'redis.example'));
    closers.push(() => redis.remove());
    admin = await createConnection({ uri: database.url, multipleStatements: true });
    // As docs/operations.md has it, and only over TLS.
    await admin.query(
      `CREATE DATABASE ${DATABASE} CHARACTER SET utf8mb4;` +
        `CREATE USER 'migrator'@'%' IDENTIFIED BY '${PASSWORD}' REQUIRE SSL; GRANT ALL PRIVILEGES ON ${DATABASE}.* TO 'migrator'@'%';` +
        `CREATE USER 'runtime'@'%' IDENTIFIED BY '${PASSWORD}' REQUIRE SSL;` +
        `GRANT SELECT, INSERT, UPDATE, DELETE ON ${DATABASE}.* TO 'runtime'@'%';`,
    );
    const address = new URL(redis.url);
    address.port = String(redis.tlsPort);
    env = {
      REDIS_URL: address.href.replace(/^redis:/, 'rediss:'),
      REDIS_TLS_CA_FILE: ours.certificate,
      REDIS_TLS_SERVERNAME: NAME,
      DATABASE_TLS: 'verify',
      DATABASE_TLS_CA_FILE: ours.certificate,
      DATABASE_TLS_SERVERNAME: NAME,
      PLAIN_CONNECTIONS: 'refuse',
      AUTH_JWT_SECRET: TEST_SECRET,
      LOG_FORMAT: 'json',
      HANDLERS_DIR: journal.handlersDir,
    };
    as = (user) => ({ ...env, DATABASE_URL: `mysql://${user}:${PASSWORD}@127.0.0.1:${database.port}/${DATABASE}` });
  }, 120_000);
  afterAll(async () => {
    await admin.end();
    for (const close of closers.reverse()) await close();
    removeDirectory(directory);
  });

  it('the user of the running system cannot migrate, and is told so', async () => {
    await expect(migrateWith(as('runtime'))).rejects.toThrow('may not change the schema');
    await migrateWith(as('migrator'));
    // With nothing to do, anybody may find that out.
    await migrateWith(as('runtime'));
  }, 60_000);

  it('a user without TLS is not let in, and the process says so instead of trying again', async () => {
    const plain = Object.fromEntries(Object.entries(as('runtime')).filter(([name]) => !name.startsWith('DATABASE_TLS')));
    const app = fleet.spawn({ env: { ...plain, ROLE: 'scheduler' }, expectErrors: true });
    expect((await app.exited).code).toBe(1);
    expect(app.stderr()).toContain('DATABASE_URL: the server refuses');
  }, 60_000);

  it('every kind of task ends as it must, workers beat, and nobody logs an error', async () => {
    const role = (name: string): Promise<App> =>
      fleet.start({ env: { ...as('runtime'), ROLE: name, WORKER_LEASE_MS: '3000', SCHEDULER_SWEEP_MS: '1000' } });
    const [api] = await Promise.all([role('api'), role('scheduler'), role('worker')]);
    const client = new Client(api.url, signToken());
    const orders: [WireNewTask, string][] = [
      [{ name: 'counted.echo', payload: { n: 1 }, tags: ['a'], metadata: { m: 1 } }, 'succeeded'],
      [{ name: 'counted.echo', delayMs: 300 }, 'succeeded'],
      [{ name: 'counted.flaky', payload: { failures: 2 } }, 'succeeded'],
      [{ name: 'counted.hopeless' }, 'failed'],
      [{ name: 'counted.steps', payload: { ms: 10 } }, 'succeeded'],
      [{ name: 'counted.sleep', payload: { ms: 60_000 }, timeoutMs: 500, maxAttempts: 1 }, 'failed'],
      [{ name: 'counted.sleep', payload: { ms: 60_000 }, expiresAt: new Date(Date.now() + 3_600_000).toISOString() }, 'cancelled'],
    ];
    const tasks = await Promise.all(orders.map(([task], index) => client.submit(task, { idempotencyKey: `k-${index}` })));
    const last = tasks.at(-1)!;
    await until(async () => (await client.get(last.id)).state === 'running', { what: 'the last task to run' });
    await client.cancel(last.id);
    const ended = await Promise.all(tasks.map(({ id }) => client.finished(id, 30_000)));
    expect(ended.map(({ state }) => state)).toEqual(orders.map(([, state]) => state));
    const failed = ended.find(({ name }) => name === 'counted.hopeless')!;
    await client.retry(failed.id);
    expect((await client.finished(failed.id)).state).toBe('failed');
    expect((await client.pause('default')).paused).toBe(true);
    expect((await client.resume('default')).paused).toBe(false);
    const [before] = await client.workers();
    await until(async () => (await client.workers())[0]?.['heartbeatAt'] !== before?.['heartbeatAt'], { what: 'another heartbeat' });
    expect((await client.workers()).map(({ state }) => state)).toEqual(['live']);
    const health = await new Client(api.url, null).request<{ degraded: boolean }>('GET', '/health');
    expect(health).toMatchObject({ status: 200, body: { degraded: false } });
    expect(JSON.stringify(health.body)).not.toMatch(/127\.0\.0\.1|servers\.example|runtime|redis_version|\d+\.\d+\.\d+/);
  }, 90_000);
}
