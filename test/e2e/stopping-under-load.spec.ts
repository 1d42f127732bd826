/** A stop at the worst moments: under load, before the start is over, with nobody left to read the log. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { backends, type Backend } from '../support/backends.js';
import { Client } from '../support/client.js';
import { useFleet } from '../support/fleet.js';
import { Installation } from '../support/installation.js';
import { Journal } from '../support/journal.js';
import { KeepAliveClients } from '../support/keep-alive.js';
import { migrateWith } from '../support/migrate.js';
import { forget, removeDirectory, temporaryDirectory, watch } from '../support/reaper.js';
import { freePort } from '../support/servers/ports.js';
import { signToken, TEST_SECRET } from '../support/token.js';
import { until, within } from '../support/until.js';

const ENV = { SHUTDOWN_TIMEOUT_MS: '10000', WORKER_POLL_MS: '200', WORKER_LEASE_MS: '3000', SCHEDULER_SWEEP_MS: '500' };
const IN_ORDER = { code: 0, signal: null };
const PROGRAM = fileURLToPath(new URL('../../dist/apps/server/main.js', import.meta.url));

describe.each(backends())('a stop on $name', (backend: Backend) => {
  const fleet = useFleet();
  const directories: string[] = [];
  let journal: Journal;
  beforeEach(() => {
    const directory = temporaryDirectory('under-load');
    directories.push(directory);
    journal = new Journal(directory);
  });
  afterAll(() => {
    directories.forEach(removeDirectory);
  });

  it('of every role under load answers all requests, loses nothing, and counts nothing against the tasks', async () => {
    const installation = await Installation.start({ fleet, backend, handlersDir: journal.handlersDir, workers: 2, env: ENV });
    const clients = new KeepAliveClients({
      port: installation.api.port,
      token: signToken({}),
      connections: 30,
      body: { name: 'counted.sleep', payload: { ms: 20 } },
    });
    await until(() => clients.accepted.length > 200 && journal.starts().size > 50, { deadlineMs: 30_000, what: 'the load to flow' });
    const [first] = installation.workers;
    if (backend.name !== 'sqlite') {
      expect(await first?.stop()).toEqual(IN_ORDER);
      expect(await installation.scheduler.stop()).toEqual(IN_ORDER);
    }
    const before = clients.accepted.length;
    await until(() => clients.accepted.length > before + 50, { what: 'the load to flow on' });
    expect(await installation.api.stop()).toEqual(IN_ORDER);
    await clients.ended();
    expect({ cut: clients.cut, others: clients.others }).toEqual({ cut: [], others: [] });
    // Each connection heard that it is over, with its last answer.
    expect(clients.told).toBeGreaterThanOrEqual(30);
    const successor =
      backend.name === 'sqlite' ? await installation.addWorker() : await fleet.start({ env: { ...installation.env, ROLE: 'all' } });
    const client = installation.clientOf(successor);
    for (const id of clients.accepted)
      expect(await client.finished(id, 60_000)).toMatchObject({ state: 'succeeded', failures: 0, crashes: 0 });
    for (const app of [successor, ...installation.workers.slice(1)]) if (app.isRunning) expect(await app.stop()).toEqual(IN_ORDER);
  }, 120_000);

  it('before the start is over ends it, and leaves no worker in the register', async () => {
    const installation = await Installation.start({ fleet, backend, handlersDir: journal.handlersDir, workers: 1, env: ENV });
    if (backend.name === 'sqlite') expect(await installation.api.stop()).toEqual(IN_ORDER);
    const early = fleet.spawn({ env: { ...installation.env, ROLE: 'all' } });
    await early.waitForLine(({ msg }) => msg === 'The worker is registered.');
    expect(await early.stop()).toEqual(IN_ORDER);
    const viewer = backend.name === 'sqlite' ? await installation.addWorker() : installation.api;
    const workers = await installation.clientOf(viewer).workers();
    expect(workers.filter(({ pid, state }) => pid === early.pid && state !== 'stopped')).toEqual([]);
  }, 60_000);

  it('while it has nobody to write its log to is in order, and nothing before it is disturbed', async () => {
    const chatty = `export default { name: 'chatty', run: () => { console.log('to nobody'); console.error('to nobody'); return 'said'; } };`;
    writeFileSync(join(journal.handlersDir, 'chatty.mjs'), chatty);
    const settings = {
      HANDLERS_DIR: journal.handlersDir,
      AUTH_JWT_SECRET: TEST_SECRET,
      LOG_FORMAT: 'json',
      LOG_LEVEL: 'debug',
      ROLE: 'all',
    };
    const env = { ...(await backend.environment()), ...ENV, ...settings };
    if (backend.name !== 'sqlite') await migrateWith(env);
    const child = spawn(process.execPath, [PROGRAM], {
      env: { PATH: process.env['PATH'], PORT: '0', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    watch('process', child.pid ?? 0);
    const exited = once(child, 'exit');
    let port = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      const { msg, port: found } = JSON.parse(line) as { msg: string; port?: number };
      if (msg === 'listening') port = found ?? 0;
      if (port > 0) break;
    }
    child.stdout.destroy();
    child.stderr.destroy();
    const client = new Client(`http://127.0.0.1:${port}`, signToken({}));
    for (let count = 0; count < 20; count += 1)
      expect((await client.submit({ name: 'chatty' }, { waitSeconds: 20 })).state).toBe('succeeded');
    expect((await client.request('GET', '/health/live')).status).toBe(200);
    child.kill('SIGTERM');
    expect(await within(exited, 15_000, 'the process to stop')).toEqual([0, null]);
    forget('process', child.pid ?? 0);
  }, 60_000);
});

describe('a stop while the start waits for a database', () => {
  const fleet = useFleet();

  it('ends the wait', async () => {
    const env = { ROLE: 'api', REDIS_URL: 'redis://127.0.0.1:1', AUTH_JWT_SECRET: TEST_SECRET, LOG_FORMAT: 'json' };
    const app = fleet.spawn({ env: { ...env, DATABASE_URL: `mysql://u:p@127.0.0.1:${await freePort()}/t` } });
    await app.waitForLine(({ msg }) => /database/i.test(msg), 20_000, 'the wait for the database');
    expect(await app.stop(5_000)).toEqual(IN_ORDER);
  }, 60_000);
});
