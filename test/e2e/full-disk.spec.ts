/**
 * The disk under the database is full: submissions are refused in words and within their limits, the processes live on, nothing that
 * was accepted is lost, and all of it runs when there is room again. The server itself may not survive it (MariaDB ends itself where
 * it cannot even roll back); then it is started again, as whoever runs it would.
 */
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { backends, newDatabase, type Backend } from '../support/backends.js';
import { Client } from '../support/client.js';
import { useFleet } from '../support/fleet.js';
import { Installation } from '../support/installation.js';
import { Journal } from '../support/journal.js';
import { Load } from '../support/load.js';
import type { App } from '../support/process.js';
import { removeDirectory, temporaryDirectory } from '../support/reaper.js';
import { canFillDisks, startMariaDbOn } from '../support/servers/private.js';
import { canMakeSmallDisks, SmallDisk } from '../support/servers/small-disk.js';
import type { ServerProcess } from '../support/servers/server-process.js';
import { until } from '../support/until.js';

const MEGABYTE = 1024 * 1024;
const ANSWER_MS = 20_000;
const ENV = {
  DATABASE_ACQUIRE_TIMEOUT_MS: '1000',
  DATABASE_CONNECT_TIMEOUT_MS: '1000',
  DATABASE_STATEMENT_TIMEOUT_MS: '2000',
  DATABASE_LOCK_TIMEOUT_MS: '1000',
  WORKER_POLL_MS: '300',
  WORKER_LEASE_MS: '6000',
};

function isPossibleOn({ name }: Backend): boolean {
  return name === 'sqlite' ? canMakeSmallDisks() : name === 'mariadb' && canFillDisks();
}

const possible = backends().filter(isPossibleOn);

it('is tried wherever a small disk can be mounted; MySQL has no start of its own on one', () => {
  const wanted = backends().filter(({ name }) => name !== 'mysql');
  expect(possible.length === wanted.length || !canMakeSmallDisks() || !canFillDisks()).toBe(true);
});

if (possible.length > 0) {
  describe.each(possible)('a full disk under $name', (backend: Backend) => {
    const fleet = useFleet();
    const directory = temporaryDirectory('full-disk');
    const journal = new Journal(directory);
    let disk: SmallDisk | undefined;
    let server: ServerProcess | undefined;
    afterAll(async () => {
      await fleet.close();
      await server?.remove();
      disk?.remove();
      removeDirectory(directory);
    });

    async function install(): Promise<Installation> {
      const expectErrors = ({ msg }: { msg: string }): boolean => msg.startsWith('No heartbeat got through');
      const rest = { fleet, backend, handlersDir: journal.handlersDir, workers: 1, env: ENV, expectErrors };
      if (backend.name === 'sqlite') {
        disk = await SmallDisk.make(16);
        const addresses = { DATABASE_URL: `sqlite:${join(disk.path, 'tasks.db')}` };
        return Installation.start({ ...rest, addresses, launcher: disk.launcher });
      }
      disk = await SmallDisk.make(128);
      server = await startMariaDbOn(disk);
      const redis = backend.redisUrl();
      const addresses = { DATABASE_URL: await newDatabase(server.url), REDIS_URL: redis?.url ?? '', REDIS_KEY_PREFIX: redis?.prefix ?? '' };
      return Installation.start({ ...rest, addresses });
    }

    it('refuses what does not fit with 503, and loses nothing of what did', async () => {
      const installation = await install();
      const apps: App[] = [...new Set([installation.api, installation.scheduler, ...installation.workers])];
      const client = installation.client();
      const payload = 'x'.repeat(20_000);
      const submitted = new Load({ client, clients: 4, timeoutMs: ANSWER_MS, task: () => ({ name: 'counted.echo', payload }) });
      await until(() => submitted.accepted.length > 20, { what: 'submissions to flow' });
      disk?.fill(MEGABYTE);
      await until(() => submitted.refused.length > 50, { deadlineMs: 60_000, what: 'the disk to be full' });
      disk?.fill();
      const refused = submitted.refused.length;
      await until(() => submitted.refused.length > refused + 50, { deadlineMs: 60_000, what: 'more refusals' });
      for (const app of apps) expect((await new Client(app.url, null).request('GET', '/health/live')).status).toBe(200);
      disk?.free();
      const before = submitted.accepted.length;
      await until(
        async () => {
          if (server?.isRunning === false) await server.restart();
          return submitted.accepted.length > before + 20;
        },
        { deadlineMs: 60_000, what: 'submissions to flow again' },
      );
      await submitted.stop();
      expect(submitted.broken).toEqual([]);
      const words = submitted.refused.map(
        ({ status, body, headers }) => `${status} ${body.code} ${Number(headers.get('retry-after')) > 0}`,
      );
      expect([...new Set(words)]).toEqual(['503 dependency-unavailable true']);
      for (const id of submitted.accepted)
        expect(await client.finished(id, 60_000)).toMatchObject({ state: 'succeeded', failures: 0, crashes: 0 });
      expect(submitted.accepted.filter((id) => journal.starts().get(id) !== 1)).toEqual([]);
      expect(apps.map(({ isRunning }) => isRunning)).toEqual(apps.map(() => true));
    }, 180_000);
  });
}
