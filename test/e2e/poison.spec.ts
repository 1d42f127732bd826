/**
 * Tasks that end the process they run in, by force or by an error that nobody catches: they are dead-lettered after a few
 * deaths, and everybody who ran beside them succeeds.
 */
import { afterAll, expect, it } from '@jest/globals';
import type { Backend } from '../support/backends.js';
import { useFleet } from '../support/fleet.js';
import { Installation } from '../support/installation.js';
import { Journal } from '../support/journal.js';
import { onServers } from '../support/on-servers.js';
import type { App } from '../support/process.js';
import { removeDirectory, temporaryDirectory } from '../support/reaper.js';
import { until } from '../support/until.js';

const ENV = { WORKER_LEASE_MS: '3000', SCHEDULER_SWEEP_MS: '300', WORKER_POLL_MS: '200', WORKER_CONCURRENCY: '8' };
const NEIGHBOURS = 12;
const DEATHS_MAX = 12;

onServers('poison', (backend: Backend) => {
  const fleet = useFleet();
  const directory = temporaryDirectory('poison');
  const journal = new Journal(directory);
  afterAll(() => {
    removeDirectory(directory);
  });

  it.each(['counted.kill', 'counted.burst'])(
    'by %s ends as such, and its neighbours succeed',
    async (name) => {
      const expectErrors = (line: { level: string }): boolean => line.level === 'fatal' || line.level === 'error';
      const installation = await Installation.start({ fleet, backend, handlersDir: journal.handlersDir, workers: 0, env: ENV });
      const client = installation.client({ tenant: name });
      const { items } = await client.submitBatch([
        { name, payload: { ms: 60_000 } },
        ...Array.from({ length: NEIGHBOURS }, () => ({ name: 'counted.sleep', payload: { ms: 700 } })),
      ]);
      const [killer = '', ...neighbours] = items.map(({ task }) => task?.id ?? '');
      let over = false;
      let deaths = 0;
      const supervise = async (): Promise<void> => {
        while (!over && deaths < DEATHS_MAX) {
          const worker: App = fleet.spawn({ env: { ...installation.env, ROLE: 'worker' }, expectErrors });
          await Promise.race([worker.exited, until(() => over, { deadlineMs: 80_000 })]);
          if (worker.isRunning) worker.kill('SIGKILL');
          else deaths += 1;
        }
      };
      const supervising = supervise();
      const ended = await client.finished(killer, 70_000);
      for (const id of neighbours) expect(await client.finished(id, 70_000)).toMatchObject({ state: 'succeeded', failures: 0 });
      over = true;
      await supervising;
      expect(ended).toMatchObject({ state: 'failed', reason: 'poison', failures: 0 });
      expect(deaths).toBeLessThanOrEqual(6);
    },
    120_000,
  );
});
