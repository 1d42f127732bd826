/** Handlers that hold the event loop: they are named while they do it, and where it does not end, they alone are to blame. */
import { afterAll, describe, expect, it } from '@jest/globals';
import { backends, type Backend } from '../support/backends.js';
import { useFleet } from '../support/fleet.js';
import { Installation } from '../support/installation.js';
import { Journal } from '../support/journal.js';
import type { LogLine } from '../support/log-lines.js';
import { onServers } from '../support/on-servers.js';
import type { App } from '../support/process.js';
import { removeDirectory, temporaryDirectory } from '../support/reaper.js';
import { until } from '../support/until.js';

const ENV = { WORKER_LEASE_MS: '3000', SCHEDULER_SWEEP_MS: '300', WORKER_POLL_MS: '200' };
const LOADED_MS = 60_000;

/** What the watching thread wrote of standstills. */
function standstills(app: App): LogLine[] {
  return app
    .stderr()
    .split('\n')
    .filter((line) => line.startsWith('{') && line.includes('The main loop stands still'))
    .map((line) => JSON.parse(line) as LogLine);
}

describe.each(backends())('a handler that holds the event loop on $name', (backend: Backend) => {
  const fleet = useFleet();
  const directory = temporaryDirectory('blocking');
  const journal = new Journal(directory);
  afterAll(() => {
    removeDirectory(directory);
  });

  it('is named while it does, and costs nobody anything but time', async () => {
    const installation = await Installation.start({ fleet, backend, handlersDir: journal.handlersDir, workers: 1, env: ENV });
    const client = installation.client();
    const [worker] = installation.workers;
    if (worker === undefined) throw new Error('there is no worker');
    const [before] = (await client.workers()).filter(({ pid }) => pid === worker.pid);
    const neighbours = await client.submitBatch(Array.from({ length: 3 }, () => ({ name: 'counted.sleep', payload: { ms: 3_000 } })));
    const ids = neighbours.items.map(({ task }) => task?.id ?? '');
    await until(() => ids.every((id) => journal.starts().has(id)), { what: 'the neighbours to start' });
    // Longer than the lease.
    const spinning = await client.submit({ name: 'counted.spin', payload: { ms: 4_000 } });
    await until(() => standstills(worker).length > 0, { what: 'the standstill to be named', deadlineMs: 15_000 });
    const [named] = standstills(worker);
    expect(named).toMatchObject({ level: 'warn', taskId: spinning.id, attempt: 1, handler: 'counted.spin', pid: worker.pid });
    expect(named?.['stack']).toContainEqual(expect.stringContaining('spin'));
    expect(named?.['stalledMs']).toBeGreaterThanOrEqual(1_000);
    for (const id of [spinning.id, ...ids]) expect(await client.finished(id)).toMatchObject({ state: 'succeeded', attempt: 1, crashes: 0 });
    expect(standstills(worker)).toHaveLength(1);
    const live = (await client.workers()).filter(({ state }) => state === 'live');
    expect(live.map(({ id }) => id)).toEqual([before?.id]);
  }, 60_000);

  it('inside native code is seen, though nobody can be named', async () => {
    const installation = await Installation.start({ fleet, backend, handlersDir: journal.handlersDir, workers: 1, env: ENV });
    const client = installation.client();
    const [worker] = installation.workers;
    if (worker === undefined) throw new Error('there is no worker');
    const waiting = await client.submit({ name: 'counted.native', payload: { ms: 2_500 } });
    const seen = await until(() => standstills(worker)[0], { what: 'the standstill to be seen', deadlineMs: 15_000 });
    expect(seen).toMatchObject({ level: 'warn', msg: 'The main loop stands still: it could not be asked.' });
    expect(seen).not.toHaveProperty('taskId');
    expect(await client.finished(waiting.id)).toMatchObject({ state: 'succeeded', attempt: 1, crashes: 0 });
    expect(await worker.stop()).toEqual({ code: 0, signal: null });
  }, 60_000);
});

onServers('a handler that never lets go of the event loop', (backend: Backend) => {
  const fleet = useFleet();
  const directory = temporaryDirectory('stalling');
  const journal = new Journal(directory);
  afterAll(() => {
    removeDirectory(directory);
  });

  it('ends its process, is blamed alone, and ends as poison', async () => {
    const env = { ...ENV, WORKER_BLOCK_WARN_MS: '500', WORKER_STALL_MS: '2000', POISON_CRASHES: '2', WORKER_CONCURRENCY: '8' };
    const installation = await Installation.start({ fleet, backend, handlersDir: journal.handlersDir, workers: 1, env });
    const client = installation.client();
    const [first] = installation.workers;
    if (first === undefined) throw new Error('there is no worker');
    const neighbours = await client.submitBatch(Array.from({ length: 3 }, () => ({ name: 'counted.sleep', payload: { ms: 4_000 } })));
    const ids = neighbours.items.map(({ task }) => task?.id ?? '');
    await until(() => ids.every((id) => journal.starts().has(id)), { what: 'the neighbours to start' });
    const culprit = await client.submit({ name: 'counted.spin', payload: { ms: 86_400_000 } });
    expect(await first.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(standstills(first).at(-1)).toMatchObject({ level: 'fatal', taskId: culprit.id, attempt: 1, handler: 'counted.spin' });
    await until(async () => (await client.get(culprit.id)).crashes === 1, { what: 'the crash to be counted', deadlineMs: LOADED_MS });
    for (const id of ids) expect(await client.get(id)).toMatchObject({ state: 'queued', attempt: 1, crashes: 0 });
    const second = await installation.addWorker();
    expect(await second.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(await client.finished(culprit.id, LOADED_MS)).toMatchObject({ state: 'failed', reason: 'poison', crashes: 2, failures: 0 });
    await installation.addWorker();
    for (const id of ids) {
      expect(await client.finished(id, LOADED_MS)).toMatchObject({ state: 'succeeded', crashes: 0, failures: 0 });
    }
  }, 120_000);
});
