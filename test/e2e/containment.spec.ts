/**
 * What a handler does outside of its own promise: a rejection that nobody handles, a call of `process.exit()`. Its attempt fails and
 * says why; the process and whatever runs beside it go on.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { backends, type Backend } from '../support/backends.js';
import type { Client } from '../support/client.js';
import { useFleet } from '../support/fleet.js';
import { Installation } from '../support/installation.js';
import { Journal } from '../support/journal.js';
import { removeDirectory, temporaryDirectory } from '../support/reaper.js';
import { until } from '../support/until.js';

const MINUTE_MS = 60_000;
const RETRY = { maxAttempts: 2, retry: { backoff: 'fixed' as const, baseMs: 10, maxMs: 10, jitter: 0 } };

describe.each(backends())('a handler on $name', (backend: Backend) => {
  const directory = temporaryDirectory('containment');
  const journal = new Journal(directory);
  const fleet = useFleet();
  let installation: Installation;
  let client: Client;

  beforeAll(async () => {
    const told = ['A handler left a promise', 'A handler called process.exit()', 'A handler ignores its abort signal'];
    const expectErrors = (line: { msg: string }): boolean => told.some((text) => line.msg.startsWith(text));
    const env = { WORKER_POLL_MS: '200', WORKER_ABORT_GRACE_MS: '300' };
    installation = await Installation.start({ fleet, backend, handlersDir: journal.handlersDir, workers: 1, env, expectErrors });
    client = installation.client();
  }, 60_000);
  afterAll(() => {
    removeDirectory(directory);
  });

  it.each([
    ['leaves a rejection to nobody', 'counted.float', {}, 'floating-rejection', 'nobody catches this'],
    ['calls process.exit()', 'counted.exit', {}, 'process-exit-refused', 'process.exit()'],
    ['calls process.exit() in a timer', 'counted.exit-later', {}, 'process-exit-refused', 'process.exit()'],
    ['calls process.exit() and swallows the refusal', 'counted.exit', { swallow: true }, 'process-exit-refused', 'process.exit()'],
  ])(
    'that %s fails its attempt, and nobody else notices',
    async (_, name, payload, code, words) => {
      const neighbour = await client.submit({ name: 'counted.sleep', payload: { ms: MINUTE_MS } });
      await until(() => journal.starts().has(neighbour.id), { what: 'the neighbour to start' });
      const { id } = await client.submit({ name, payload: { ms: 1_500, ...payload }, ...RETRY });
      const ended = await client.finished(id);
      const error = { code, message: expect.stringContaining(words) };
      expect(ended).toMatchObject({ state: 'failed', reason: 'attempts_exhausted', failures: 2, crashes: 0, lastError: error });
      expect((await client.attempts(id)).map(({ outcome }) => outcome)).toEqual(['failed', 'failed']);
      expect(await client.get(neighbour.id)).toMatchObject({ state: 'running', attempt: 1 });
      await client.cancel(neighbour.id);
      expect((await client.submit({ name: 'echo', payload: name }, { waitSeconds: 20 })).result).toBe(name);
      expect(installation.workers.map((worker) => worker.isRunning)).toEqual([true]);
    },
    60_000,
  );

  it('whose promise is rejected after its end has succeeded all the same', async () => {
    const { state } = await client.submit({ name: 'counted.late', payload: { ms: 50 } }, { waitSeconds: 20 });
    expect(state).toBe('succeeded');
    const [worker] = installation.workers;
    await worker?.waitForLine(({ attemptEnded }) => attemptEnded === true, 10_000, 'the rejection to be told');
    expect((await client.submit({ name: 'echo', payload: 1 }, { waitSeconds: 20 })).result).toBe(1);
  }, 60_000);
});
