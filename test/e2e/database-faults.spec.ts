/**
 * A database that is killed, hangs, or is demoted under load. Submissions are refused in words (503, when to come back) and within
 * their limits, the processes live on and say why they are not ready, outcomes are held and settled, and all that was accepted runs.
 * A loop that fails by itself, on the other hand, makes its process count as dead. One installation lives through all of it.
 */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createConnection, type Connection } from 'mysql2/promise';
import { newDatabase, type Backend } from '../support/backends.js';
import { Client } from '../support/client.js';
import { useFleet } from '../support/fleet.js';
import { Installation } from '../support/installation.js';
import { Journal } from '../support/journal.js';
import { Load } from '../support/load.js';
import { onServers } from '../support/on-servers.js';
import type { App } from '../support/process.js';
import { removeDirectory, temporaryDirectory } from '../support/reaper.js';
import { canStartMariaDb, startMariaDb } from '../support/servers/private.js';
import type { PrivateServer } from '../support/servers/server.js';
import { until } from '../support/until.js';

const LEASE_MS = 4_000;
/** Waiting for a connection, asking, looking whether the COMMIT happened, and trying once more, on a slow machine. */
const ANSWER_MS = 20_000;
const BUDGET_MS = 6_000;
const ENV = {
  SHUTDOWN_TIMEOUT_MS: String(BUDGET_MS),
  DATABASE_ACQUIRE_TIMEOUT_MS: '1000',
  DATABASE_CONNECT_TIMEOUT_MS: '1000',
  DATABASE_STATEMENT_TIMEOUT_MS: '2000',
  DATABASE_LOCK_TIMEOUT_MS: '1000',
  WORKER_LEASE_MS: String(LEASE_MS),
  WORKER_POLL_MS: '300',
  SCHEDULER_SWEEP_MS: '500',
  SCHEDULER_PRUNE_MS: '1000',
  LIVENESS_LOOP_FAILURES: '3',
};

interface Probe {
  status: string;
  details: Record<string, { status: string; reason?: string; failing?: string[] }>;
}

onServers('a database of its own', livesThroughFaults, { when: canStartMariaDb() });

function livesThroughFaults(backend: Backend): void {
  const fleet = useFleet();
  const directory = temporaryDirectory('database-faults');
  const journal = new Journal(directory);
  let server: PrivateServer;
  let url: URL;
  let installation: Installation;
  let client: Client;
  let apps: readonly App[];

  beforeAll(async () => {
    server = await startMariaDb();
    url = new URL(await newDatabase(server.url));
    await asAdmin(async (admin) => {
      // Not an administrator: those may write to a read-only server.
      await admin.query(`CREATE USER app@'%' IDENTIFIED BY 'secret'`);
      await admin.query(`GRANT ALL ON \`${url.pathname.slice(1)}\`.* TO app@'%'`);
    });
    const [address, redis] = [new URL(url), backend.redisUrl()];
    [address.username, address.password] = ['app', 'secret'];
    const addresses = { DATABASE_URL: address.href, REDIS_URL: redis?.url ?? '', REDIS_KEY_PREFIX: redis?.prefix ?? '' };
    const expected = ['No heartbeat got through', 'A part did not stop', 'The stop took too long', 'The outcome of an attempt could not'];
    const expectErrors = ({ msg }: { msg: string }): boolean => expected.some((text) => msg.startsWith(text));
    const { handlersDir } = journal;
    installation = await Installation.start({ fleet, backend, handlersDir, workers: 1, env: ENV, addresses, expectErrors });
    client = installation.client();
    apps = [installation.api, installation.scheduler, ...installation.workers];
  }, 90_000);
  afterAll(async () => {
    await server.remove();
    removeDirectory(directory);
  });

  async function asAdmin(work: (admin: Connection) => Promise<unknown>): Promise<void> {
    const admin = await createConnection({ uri: url.href });
    try {
      await work(admin);
    } finally {
      admin.destroy();
    }
  }

  const probe = (app: App, path: string) => new Client(app.url, null).request<Probe>('GET', path);
  const everyStatus = (path: string): Promise<number[]> => Promise.all(apps.map(async (app) => (await probe(app, path)).status));
  const load = (): Load =>
    new Load({ client, clients: 8, timeoutMs: ANSWER_MS, task: (count) => ({ name: 'counted.echo', payload: count }) });

  /** Refused in words, and by nothing else; everything accepted runs; nobody was replaced. */
  async function expectOrderly(submitted: Load): Promise<void> {
    expect(submitted.broken).toEqual([]);
    expect(submitted.refused.length).toBeGreaterThan(0);
    for (const { status, headers, body } of submitted.refused) {
      expect({ status, code: body.code, type: headers.get('content-type') }).toEqual({
        status: 503,
        code: 'dependency-unavailable',
        type: expect.stringContaining('application/problem+json'),
      });
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
      expect(body.detail).not.toMatch(/ER_|ECONN|SELECT|INSERT|read.only|127\.0\.0\.1/i);
    }
    await until(() => submitted.accepted.every((id) => journal.starts().has(id)), { deadlineMs: 60_000, everyMs: 100, what: 'all to run' });
    for (const id of submitted.accepted) expect((await client.finished(id)).state).toBe('succeeded');
    expect(apps.map(({ isRunning }) => isRunning)).toEqual(apps.map(() => true));
    expect(await everyStatus('/health/ready')).toEqual(apps.map(() => 200));
  }

  it.each<[string, () => Promise<void>, () => Promise<void>, string]>([
    ['is killed', () => server.kill9(), () => server.restart(), 'the database does not answer'],
    ['hangs', () => server.freeze(), () => server.thaw(), 'the database does not answer'],
  ])(
    'that %s for twice a lease, under load: held outcomes are settled, nothing accepted is lost',
    async (_what, harm, mend, reason) => {
      const { items } = await client.submitBatch(Array.from({ length: 5 }, () => ({ name: 'counted.sleep', payload: { ms: 1_000 } })));
      const held = items.map(({ task }) => task?.id ?? '');
      await until(() => held.every((id) => journal.starts().has(id)), { everyMs: 5, what: 'the held tasks to start' });
      const submitted = load();
      await until(() => submitted.accepted.length > 20, { what: 'submissions to flow' });
      await harm();
      const harmedAt = performance.now();
      await until(async () => (await everyStatus('/health/ready')).every((status) => status === 503), { what: 'all to be unready' });
      expect((await probe(installation.api, '/health/ready')).body.details['database']).toMatchObject({ status: 'down', reason });
      await until(() => held.every((id) => journal.lines().some((line) => line.id === id && line.what === 'end')), {
        what: 'the handlers to end',
      });
      await until(() => performance.now() - harmedAt > 2 * LEASE_MS, { deadlineMs: 30_000, everyMs: 200, what: 'two leases to pass' });
      expect(await everyStatus('/health/live')).toEqual(apps.map(() => 200));
      await mend();
      await until(async () => (await everyStatus('/health/ready')).every((status) => status === 200), {
        deadlineMs: 30_000,
        what: 'all to be ready',
      });
      const before = submitted.accepted.length;
      await until(() => submitted.accepted.length > before + 20, { deadlineMs: 30_000, what: 'submissions to flow again' });
      await submitted.stop();
      await expectOrderly(submitted);
      for (const id of held)
        expect(await client.finished(id, 30_000)).toMatchObject({ state: 'succeeded', attempt: 1, failures: 0, crashes: 0 });
      expect(held.map((id) => journal.starts().get(id))).toEqual(held.map(() => 1));
    },
    120_000,
  );

  it('that was demoted refuses, says so, and is left for new connections', async () => {
    const submitted = load();
    await until(() => submitted.accepted.length > 20, { what: 'submissions to flow' });
    await asAdmin((admin) => admin.query('SET GLOBAL read_only = 1'));
    await until(() => submitted.refused.length > 20, { what: 'refusals' });
    await until(async () => (await everyStatus('/health/ready')).every((status) => status === 503), { what: 'all to be unready' });
    expect((await probe(installation.api, '/health/ready')).body.details['database']).toMatchObject({
      reason: 'the database is read-only',
    });
    expect(await everyStatus('/health/live')).toEqual(apps.map(() => 200));
    await asAdmin((admin) => admin.query('SET GLOBAL read_only = 0'));
    const before = submitted.accepted.length;
    await until(() => submitted.accepted.length > before + 20, { deadlineMs: 30_000, what: 'submissions to flow again' });
    await submitted.stop();
    await expectOrderly(submitted);
  }, 90_000);

  it('that lacks what one loop needs makes the process of that loop count as dead, and no other', async () => {
    await asAdmin((admin) => admin.query('RENAME TABLE idempotency_keys TO elsewhere'));
    const dead = await until(
      async () => {
        const answer = await probe(installation.scheduler, '/health/live');
        return answer.status === 503 && answer;
      },
      { deadlineMs: 40_000, everyMs: 200, what: 'the scheduler to count as dead' },
    );
    expect(dead.body.details['loops']?.failing).toEqual(['scheduler.prune']);
    expect((await probe(installation.api, '/health/live')).status).toBe(200);
    expect(installation.scheduler.isRunning).toBe(true);
    await asAdmin((admin) => admin.query('RENAME TABLE elsewhere TO idempotency_keys'));
    await until(async () => (await probe(installation.scheduler, '/health/live')).status === 200, {
      deadlineMs: 20_000,
      what: 'it to live',
    });
  }, 90_000);

  it('that is away does not keep a process from stopping within its budget; what it held runs elsewhere', async () => {
    const held = await client.submit({ name: 'counted.sleep', payload: { ms: 500 } });
    await until(() => journal.starts().has(held.id), { what: 'the task to start' });
    await server.kill9();
    await until(() => journal.lines().some(({ id, what }) => id === held.id && what === 'end'), { what: 'the handler to end' });
    const [worker] = installation.workers;
    const exits = await Promise.all(apps.map((app) => app.stop(BUDGET_MS + 4_000)));
    expect(exits.map(({ signal }) => signal)).toEqual(apps.map(() => null));
    // The worker could not give back what it held, and says so.
    expect(exits[apps.indexOf(worker as App)]?.code).toBe(1);
    expect(exits[0]?.code).toBe(0);
    await server.restart();
    const successor = await fleet.start({ env: { ...installation.env, ROLE: 'all' } });
    const after = await installation.clientOf(successor).finished(held.id, 30_000);
    expect(after).toMatchObject({ state: 'succeeded', attempt: 2, failures: 0 });
  }, 90_000);
}
