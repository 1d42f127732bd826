/**
 * A worker that stands still for longer than its lease and then goes on: its tasks run elsewhere meanwhile, what it says
 * afterwards is not heard, it comes back under a new name, and nothing is counted against the tasks, because nobody died.
 */
import { afterAll, expect, it } from '@jest/globals';
import type { Backend } from '../support/backends.js';
import { useFleet } from '../support/fleet.js';
import { Installation } from '../support/installation.js';
import { Journal } from '../support/journal.js';
import { onServers } from '../support/on-servers.js';
import { removeDirectory, temporaryDirectory } from '../support/reaper.js';
import { until } from '../support/until.js';

const ENV = { WORKER_LEASE_MS: '3000', SCHEDULER_SWEEP_MS: '300', WORKER_POLL_MS: '200', WORKER_CONCURRENCY: '3' };
onServers('a worker', (backend: Backend) => {
  const fleet = useFleet();
  const directory = temporaryDirectory('frozen');
  const journal = new Journal(directory);
  afterAll(() => {
    removeDirectory(directory);
  });

  it('that is frozen past its lease loses its tasks, is fenced, and returns', async () => {
    const told = ['This worker was declared lost', 'No heartbeat got through'];
    const expectErrors = (line: { msg: string }): boolean => told.some((text) => line.msg.startsWith(text));
    const installation = await Installation.start({ fleet, backend, handlersDir: journal.handlersDir, workers: 1, env: ENV, expectErrors });
    const client = installation.client();
    const [frozen] = installation.workers;
    if (frozen === undefined) throw new Error('there is no worker');
    const { items } = await client.submitBatch(Array.from({ length: 3 }, () => ({ name: 'counted.sleep', payload: { ms: 1_000 } })));
    const ids = items.map(({ task }) => task?.id ?? '');
    await until(() => ids.every((id) => journal.starts().has(id)), { what: 'all three to start' });
    frozen.kill('SIGSTOP');
    const other = await installation.addWorker();
    for (const id of ids) expect(await client.finished(id, 30_000)).toMatchObject({ state: 'succeeded', attempt: 2, failures: 0 });
    frozen.kill('SIGCONT');
    await frozen.waitForLine(({ msg }) => msg.startsWith('This worker was declared lost'), 15_000, 'the worker to notice');
    await until(async () => (await client.workers()).filter(({ pid, state }) => pid === frozen.pid && state === 'live').length === 1, {
      what: 'the worker to be registered anew',
    });
    for (const id of ids) {
      expect(await client.get(id)).toMatchObject({ state: 'succeeded', attempt: 2 });
      expect((await client.attempts(id)).map(({ outcome }) => outcome)).toEqual(['lost', 'succeeded']);
    }
    await until(async () => (await Promise.all(ids.map((id) => client.get(id)))).every(({ crashes }) => crashes === 0), {
      what: 'the crashes to be taken back',
    });
    await other.stop();
    const after = await client.submit({ name: 'counted.echo' }, { waitSeconds: 10 });
    expect(after.state).toBe('succeeded');
  }, 90_000);
});
