/** One build, four roles: what each serves, when it refuses to start, and how it takes the absence of what it depends on. */
import { afterAll, describe, expect, it } from '@jest/globals';
import { newDatabase, type Backend } from '../support/backends.js';
import { Client } from '../support/client.js';
import { useFleet } from '../support/fleet.js';
import { Installation } from '../support/installation.js';
import { Journal } from '../support/journal.js';
import { migrateWith } from '../support/migrate.js';
import type { App } from '../support/process.js';
import { removeDirectory, temporaryDirectory } from '../support/reaper.js';
import { canStartMariaDb, startMariaDb } from '../support/servers/private.js';
import { onServers } from '../support/on-servers.js';
import { TEST_SECRET } from '../support/token.js';
import { ask } from '../support/tables.js';
import { until } from '../support/until.js';

/** What it printed beside its log. */
const plain = (app: App): string =>
  app
    .logs()
    .filter(({ level }) => level === 'text')
    .map(({ msg }) => msg)
    .join('\n');

describe('a process', () => {
  const fleet = useFleet();
  const directory = temporaryDirectory('roles');
  afterAll(() => {
    removeDirectory(directory);
  });

  it('whose configuration is wrong prints every problem at once and exits with 1', async () => {
    const app = fleet.spawn({ env: { ROLE: 'wroker', PORT: 'eighty', WORKER_CONCURRENCY: '0', LOG_LEVEL: 'loud' } });
    expect(await app.exited).toEqual({ code: 1, signal: null });
    for (const name of ['ROLE', 'PORT', 'WORKER_CONCURRENCY', 'LOG_LEVEL']) expect(app.stderr()).toContain(name);
    expect(app.stderr()).not.toMatch(/\n\s+at /);
  });

  it('of one role needs servers and a secret', async () => {
    const bare = fleet.spawn({ env: { ROLE: 'api' } });
    expect((await bare.exited).code).toBe(1);
    expect(bare.stderr()).toMatch(/DATABASE_URL[^]*REDIS_URL/);
    const open = fleet.spawn({ env: { ROLE: 'api', DATABASE_URL: 'mysql://root@127.0.0.1:1/none', REDIS_URL: 'redis://127.0.0.1:1' } });
    expect((await open.exited).code).toBe(1);
    expect(open.stderr()).toContain('AUTH_JWT_SECRET');
  });

  it('starts whole with no configuration at all, and a second one on the same file is refused', async () => {
    const app = await fleet.start({ env: { LOG_FORMAT: 'json' }, cwd: directory });
    await until(
      async () => ((await new Client(app.url, null).request<{ heartbeat: unknown }>('GET', '/health')).body.heartbeat ?? null) !== null,
      {
        what: 'a heartbeat task to have gone the whole way',
      },
    );
    const second = fleet.spawn({ env: { LOG_FORMAT: 'json' }, cwd: directory, expectErrors: true });
    expect((await second.exited).code).toBe(1);
    expect(second.stderr()).toContain('another process has this SQLite file open');
    expect(await app.stop()).toEqual({ code: 0, signal: null });
  });

  it('prints the addresses and a line to paste that works', async () => {
    const own = temporaryDirectory('welcome');
    const app = await fleet.start({ env: {}, cwd: own });
    const curl = await until(() => /curl [^]*?-d '[^']*'/.exec(plain(app))?.[0], { what: 'the line to paste' });
    expect(plain(app)).toMatch(/Docs\s+http:\/\/localhost:\d+\/docs/);
    await until(() => plain(app).includes('A heartbeat task went the whole way'), { what: 'the heartbeat' });
    const token = /Bearer ([\w.-]+)/.exec(curl)?.[1] ?? '';
    const body = /-d '([^']*)'/.exec(curl)?.[1] ?? '';
    const answer = await new Client(app.url, token).request<{ state: string; result: unknown }>('POST', '/api/tasks', {
      body,
      headers: { prefer: 'wait=5' },
    });
    expect(answer).toMatchObject({ status: 200, body: { state: 'succeeded' } });
    await app.stop();
    removeDirectory(own);
  });
});

onServers('the roles', (backend: Backend) => {
  const fleet = useFleet();
  const directory = temporaryDirectory('roles');
  const journal = new Journal(directory);
  afterAll(() => {
    removeDirectory(directory);
  });

  it('serve probes everywhere and the API only where it belongs', async () => {
    const installation = await Installation.start({
      fleet,
      backend,
      handlersDir: journal.handlersDir,
      workers: 1,
      env: { API_DOCS: 'on' },
    });
    const apps = [installation.api, installation.scheduler, ...installation.workers];
    for (const app of apps) {
      const anonymous = new Client(app.url, null);
      for (const path of ['/health', '/health/live', '/health/ready']) expect((await anonymous.request('GET', path)).status).toBe(200);
      const expected = app === installation.api ? 401 : 404;
      expect((await anonymous.request('GET', '/api/tasks')).status).toBe(expected);
      expect((await anonymous.request('GET', '/openapi.json')).status).toBe(app === installation.api ? 200 : 404);
    }
    const exits = await Promise.all(apps.map((app) => app.stop()));
    expect(exits).toEqual(exits.map(() => ({ code: 0, signal: null })));
  }, 60_000);

  it('say which port is in use, and leave no worker behind in the register', async () => {
    const installation = await Installation.start({ fleet, backend, handlersDir: journal.handlersDir, workers: 0 });
    const { port } = new URL(installation.api.url);
    const second = fleet.spawn({ env: { ...installation.env, ROLE: 'worker', HOST: '127.0.0.1', PORT: port }, expectErrors: true });
    expect((await second.exited).code).toBe(1);
    expect(second.stderr()).toContain(`PORT: ${port} is in use`);
    expect(second.stderr()).not.toMatch(/\n\s+at /);
    const rows = await ask<{ state: string }>(installation.env['DATABASE_URL'] ?? '', 'SELECT state FROM workers');
    expect(rows).toEqual([{ state: 'stopped' }]);
  }, 60_000);

  it('refuse to start on a schema they do not know, older or newer', async () => {
    const env: Record<string, string> = { ...(await backend.environment()), AUTH_JWT_SECRET: TEST_SECRET, LOG_FORMAT: 'json', ROLE: 'api' };
    const early = fleet.spawn({ env, expectErrors: true });
    expect((await early.exited).code).toBe(1);
    expect(early.stderr()).toContain('npm run migrate');
    await migrateWith(env);
    await ask(env['DATABASE_URL'] ?? '', `INSERT INTO migrations (timestamp, name) VALUES (9999, 'FromTheFuture0000000009999')`);
    const late = fleet.spawn({ env, expectErrors: true });
    expect((await late.exited).code).toBe(1);
    expect(late.stderr()).toContain('newer than this build');
  }, 60_000);
});

onServers('the roles with a database that goes away', losesDatabase, { when: canStartMariaDb() });

function losesDatabase(backend: Backend): void {
  const fleet = useFleet();
  const directory = temporaryDirectory('away');
  const journal = new Journal(directory);
  afterAll(() => {
    removeDirectory(directory);
  });

  it('answer 503, stay up, and go on with what they held when it is back', async () => {
    const server = await startMariaDb();
    const redis = backend.redisUrl();
    const addresses = { DATABASE_URL: await newDatabase(server.url), REDIS_URL: redis?.url ?? '', REDIS_KEY_PREFIX: redis?.prefix ?? '' };
    const env = {
      DATABASE_ACQUIRE_TIMEOUT_MS: '1000',
      DATABASE_CONNECT_TIMEOUT_MS: '1000',
      SCHEDULER_SWEEP_MS: '500',
      WORKER_POLL_MS: '500',
    };
    const installation = await Installation.start({ fleet, backend, handlersDir: journal.handlersDir, workers: 1, env, addresses });
    const client = installation.client();
    const held = await client.submit({ name: 'counted.sleep', payload: { ms: 1_500 } });
    await until(() => journal.starts().has(held.id), { what: 'the task to start' });
    await server.kill9();
    const refused = await client.request<{ code: string }>('POST', '/api/tasks', { body: { name: 'counted.echo' } });
    expect(refused).toMatchObject({ status: 503, body: { code: 'dependency-unavailable' } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    for (const app of [installation.api, installation.scheduler, ...installation.workers]) {
      const probe = new Client(app.url, null);
      expect((await probe.request('GET', '/health/live')).status).toBe(200);
      expect((await probe.request('GET', '/health/ready')).status).toBe(503);
    }
    // The handler ends while the database is away; its outcome is held.
    await until(() => journal.lines().some(({ id, what }) => id === held.id && what === 'end'), { what: 'the handler to end' });
    await server.restart();
    expect(await client.finished(held.id, 30_000)).toMatchObject({ state: 'succeeded', attempt: 1 });
    const after = await until(() => client.submit({ name: 'counted.echo', payload: 'back' }, { waitSeconds: 10 }), {
      deadlineMs: 20_000,
      what: 'submissions to work again',
    });
    expect(after).toMatchObject({ state: 'succeeded', result: 'back' });
    for (const app of [installation.api, installation.scheduler, ...installation.workers])
      expect(await app.stop()).toEqual({ code: 0, signal: null });
    await server.remove();
  }, 120_000);
}
