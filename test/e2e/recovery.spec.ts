/**
 * What a task has when its worker is killed: the place where it stood, who stands in for whom, and hooks that let go of what it
 * left outside. Real processes, killed by SIGKILL.
 */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Backend } from '../support/backends.js';
import type { Client } from '../support/client.js';
import { useFleet } from '../support/fleet.js';
import { Installation } from '../support/installation.js';
import { onServers } from '../support/on-servers.js';
import type { App } from '../support/process.js';
import { RecoveryHandlers } from '../support/recovery-handlers.js';
import { removeDirectory, temporaryDirectory } from '../support/reaper.js';
import { until } from '../support/until.js';

const ENV = {
  WORKER_LEASE_MS: '3000',
  SCHEDULER_SWEEP_MS: '300',
  WORKER_POLL_MS: '200',
  WORKER_ABORT_GRACE_MS: '200',
  ABANDON_LOOK_MS: '200',
  ABANDON_TIMEOUT_MS: '1000',
};

onServers('recovery', (backend: Backend) => {
  const fleet = useFleet();
  const directory = temporaryDirectory('recovery');
  const recovery = new RecoveryHandlers(directory);
  afterAll(() => {
    removeDirectory(directory);
  });

  let installation: Installation;
  let client: Client;
  /** The only one at any time. */
  let worker: App;
  beforeAll(async () => {
    installation = await Installation.start({ fleet, backend, handlersDir: recovery.handlersDir, workers: 0, env: ENV });
    client = installation.client();
    worker = await installation.addWorker();
  }, 60_000);

  /** Waits for the last thing the task does, kills the worker in it, and starts another. */
  const killIn = async (id: string, what: string): Promise<void> => {
    await until(() => recovery.linesOf(id).at(-1)?.what === what, { deadlineMs: 20_000, what: `${what} of ${id}` });
    worker.kill('SIGKILL');
    await worker.exited;
    worker = await installation.addWorker();
  };

  it('goes on from the checkpoint of a worker that was killed', async () => {
    const { id } = await client.submit({ name: 'recovery.steps' });
    await until(() => recovery.linesOf(id).at(-1)?.['step'] === 2, { what: 'the third step' });
    // The checkpoint after the third step is stored when the handler hangs; a kill before that repeats the step.
    await killIn(id, 'step');
    expect(await client.finished(id, 40_000)).toMatchObject({ state: 'succeeded', result: 'walked', failures: 0, attempt: 2 });
    const steps = recovery.linesOf(id).map(({ step, attempt }) => [attempt, step]);
    expect(steps.slice(0, 3)).toEqual([
      [1, 0],
      [1, 1],
      [1, 2],
    ]);
    const second = steps.slice(3).map(([, step]) => step);
    expect([
      [3, 4, 5],
      [2, 3, 4, 5],
    ]).toContainEqual(second);
  }, 90_000);

  it('puts tasks off without a failure, and ends what is put off beyond its deadline', async () => {
    const { id } = await client.submit({ name: 'recovery.later', payload: { rounds: 3, ms: 50 } });
    const late = await client.submit({ name: 'recovery.later', payload: { rounds: 1, ms: 600_000 }, deadlineMs: 1_500 });
    expect(await client.finished(id, 30_000)).toMatchObject({ state: 'succeeded', result: 3, failures: 0, attempt: 4 });
    expect((await client.attempts(id)).map(({ outcome }) => outcome)).toEqual(['snoozed', 'snoozed', 'snoozed', 'succeeded']);
    expect(recovery.linesOf(id).map(({ rounds, failures }) => [rounds, failures])).toEqual([0, 1, 2, 3].map((rounds) => [rounds, 0]));
    expect(await client.finished(late.id, 30_000)).toMatchObject({ state: 'failed', reason: 'deadline_exceeded' });
  }, 90_000);

  it('hands over along the chain, and comes back to the fallback that was killed', async () => {
    const { id } = await client.submit({ name: 'recovery.first', payload: { n: 1 } });
    await killIn(id, 'second');
    const primary = { code: 'second', message: 'never' };
    expect(await client.finished(id, 40_000)).toMatchObject({ state: 'succeeded', result: { payload: { n: 1 }, primary } });
    expect(recovery.linesOf(id).map(({ what, primary: code }) => [what, code])).toEqual([
      ['first', undefined],
      ['first', undefined],
      ['second', 'first'],
      ['second', 'first'],
      ['third', 'second'],
    ]);
    expect((await client.attempts(id)).map(({ outcome }) => outcome)).toEqual(['failed', 'failed', 'lost', 'failed', 'succeeded']);
  }, 90_000);

  it('calls the hook for what a killed worker left outside, until it succeeds, although a worker dies in it', async () => {
    const { id } = await client.submit({ name: 'recovery.leaky' });
    await killIn(id, 'made');
    expect(await client.finished(id, 40_000)).toMatchObject({ state: 'failed', reason: 'permanent_error', lastError: { code: 'gave-up' } });
    // The third call of the hook ends its process.
    await worker.exited;
    expect(recovery.exists(`thing-${id}`)).toBe(true);
    worker = await installation.addWorker();
    await until(() => !recovery.exists(`thing-${id}`), { deadlineMs: 40_000, what: 'the thing to be gone' });
    const lines = recovery.linesOf(id);
    expect(lines.map(({ what }) => what)).toEqual(['made', 'inherited', 'hook', 'hook', 'hook', 'hook']);
    expect(lines[1]).toMatchObject({ refs: [`thing-${id}`] });
    expect(lines.slice(2)).toMatchObject([0, 1, 2, 3].map((tries) => ({ tries, kind: 'file', tenant: 'acme' })));
  }, 120_000);
});
