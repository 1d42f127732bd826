/** What a stop leaves behind: nothing lost, nothing counted against a task, and an end within the budget whatever the handlers do. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { backends, type Backend } from '../support/backends.js';
import { useFleet } from '../support/fleet.js';
import { Installation } from '../support/installation.js';
import { Journal } from '../support/journal.js';
import { removeDirectory, temporaryDirectory } from '../support/reaper.js';
import { until } from '../support/until.js';

const ENV = { SHUTDOWN_TIMEOUT_MS: '4000', WORKER_POLL_MS: '200', WORKER_LEASE_MS: '3000', SCHEDULER_SWEEP_MS: '500' };
const MINUTE_MS = 60_000;

describe.each(backends())('a stop on $name', (backend: Backend) => {
  const fleet = useFleet();
  const directories: string[] = [];
  let journal: Journal;
  beforeEach(() => {
    const directory = temporaryDirectory('stopping');
    directories.push(directory);
    journal = new Journal(directory);
  });
  afterAll(() => {
    directories.forEach(removeDirectory);
  });

  it.each(['counted.sleep', 'counted.deaf'])(
    'gives back %s that does not end in time, without a failure or a crash',
    async (name) => {
      const installation = await Installation.start({ fleet, backend, handlersDir: journal.handlersDir, workers: 1, env: ENV });
      const [worker] = installation.workers;
      const task = await installation.client().submit({ name, payload: { ms: MINUTE_MS } });
      await until(() => journal.starts().has(task.id), { what: 'the handler to start' });
      expect(await worker?.stop(8_000)).toEqual({ code: 0, signal: null });
      const successor = await installation.addWorker();
      const client = backend.name === 'sqlite' ? installation.clientOf(successor) : installation.client();
      await until(() => journal.starts().get(task.id) === 2, { what: 'the task to run again' });
      expect(await client.get(task.id)).toMatchObject({ state: 'running', attempt: 2, failures: 0, crashes: 0 });
      const [first] = await client.attempts(task.id);
      expect(first).toMatchObject({ attempt: 1, outcome: 'released', error: { code: 'worker-stopping' } });
      successor.kill('SIGKILL');
    },
    60_000,
  );

  it('is ended by a second signal at once, with a non-zero code', async () => {
    const expectErrors = (line: { msg: string }): boolean => line.msg.startsWith('A second signal');
    const installation = await Installation.start({ fleet, backend, handlersDir: journal.handlersDir, workers: 1, expectErrors });
    const [worker] = installation.workers;
    if (worker === undefined) throw new Error('there is no worker');
    const task = await installation.client().submit({ name: 'counted.sleep', payload: { ms: MINUTE_MS } });
    await until(() => journal.starts().has(task.id), { what: 'the handler to start' });
    worker.kill('SIGTERM');
    await worker.waitForLine(({ msg }) => msg === 'Stopping.');
    worker.kill('SIGTERM');
    expect(await worker.exited).toEqual({ code: 1, signal: null });
  }, 60_000);

  it('is orderly although a module of handlers calls process.exit() on the same signal', async () => {
    writeFileSync(join(journal.handlersDir, 'hasty.mjs'), `process.once('SIGTERM', () => process.exit(0));\nexport default [];\n`);
    const expectErrors = (line: { msg: string }): boolean => line.msg.startsWith('Code that belongs to no task called process.exit()');
    const installation = await Installation.start({ fleet, backend, handlersDir: journal.handlersDir, workers: 1, env: ENV, expectErrors });
    const [worker] = installation.workers;
    const task = await installation.client().submit({ name: 'counted.sleep', payload: { ms: MINUTE_MS } });
    await until(() => journal.starts().has(task.id), { what: 'the handler to start' });
    expect(await worker?.stop(8_000)).toEqual({ code: 0, signal: null });
    expect(await worker?.waitForLine(({ msg }) => msg === 'Stopped.')).toMatchObject({ clean: true });
  }, 60_000);

  it('answers clients that wait, and requests in flight', async () => {
    const installation = await Installation.start({ fleet, backend, handlersDir: journal.handlersDir, workers: 1, env: ENV });
    const client = installation.client();
    const waiting = client.request<{ id: string }>('POST', '/api/tasks', {
      body: { name: 'sleep', payload: { ms: 1_000 } },
      headers: { prefer: 'wait=30' },
    });
    await until(async () => (await client.listAll({ state: 'running' })).length === 1, { what: 'the task to run' });
    const exit = installation.api.stop();
    expect((await waiting).status).toBe(202);
    expect(await exit).toEqual({ code: 0, signal: null });
  }, 60_000);

  it('of the only worker leaves the clients that wait for its tasks with 202', async () => {
    const installation = await Installation.start({ fleet, backend, handlersDir: journal.handlersDir, workers: 1, env: ENV });
    const waiting = installation.client().request<{ id: string }>('POST', '/api/tasks', {
      body: { name: 'counted.sleep', payload: { ms: MINUTE_MS } },
      headers: { prefer: 'wait=3' },
    });
    await until(() => journal.starts().size === 1, { what: 'the handler to start' });
    expect(await installation.workers[0]?.stop(8_000)).toEqual({ code: 0, signal: null });
    expect((await waiting).status).toBe(202);
  }, 60_000);
});
