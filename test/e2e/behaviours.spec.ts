/** What a task may be asked to do, seen from outside: each through the API, run by another process where there is one. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { backends, type Backend } from '../support/backends.js';
import { useFleet } from '../support/fleet.js';
import { Installation } from '../support/installation.js';
import { Journal } from '../support/journal.js';
import { removeDirectory, temporaryDirectory } from '../support/reaper.js';
import { until } from '../support/until.js';
import type { Client } from '../support/client.js';
import type { LogLine } from '../support/log-lines.js';

const ENV = {
  WORKER_ABORT_GRACE_MS: '300',
  WORKER_CANCEL_POLL_MS: '100',
  WORKER_POLL_MS: '200',
  UNKNOWN_HANDLER_GRACE_MS: '1500',
  UNKNOWN_HANDLER_PAUSE_MS: '200',
};
const MINUTE_MS = 60_000;
const in_ = (ms: number): string => new Date(Date.now() + ms).toISOString();

describe.each(backends())('a task on $name', (backend: Backend) => {
  const directory = temporaryDirectory('behaviours');
  const journal = new Journal(directory);
  const fleet = useFleet();
  let installation: Installation;
  let client: Client;

  beforeAll(async () => {
    // A handler that ignores its abort is one of the cases, and is told about at level error.
    const expectErrors = (line: { msg: string }): boolean => line.msg.startsWith('A handler ignores its abort signal');
    installation = await Installation.start({ fleet, backend, handlersDir: journal.handlersDir, env: ENV, expectErrors });
    client = installation.client();
  }, 60_000);
  afterAll(() => {
    removeDirectory(directory);
  });

  const run = async (task: Parameters<Client['submit']>[0]) => client.submit(task, { waitSeconds: 20 });

  it('of each built-in handler gives its result', async () => {
    expect((await run({ name: 'echo', payload: { a: [1, null, '😀'] } })).result).toEqual({ a: [1, null, '😀'] });
    expect((await run({ name: 'sha256', payload: 'hello' })).result).toEqual({
      digest: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
    });
    expect((await run({ name: 'sleep', payload: { ms: 10 } })).result).toEqual({ sleptMs: 10 });
    expect((await run({ name: 'heartbeat' })).result).toEqual({ at: expect.stringMatching(/Z$/) });
  });

  it('that takes longer than the client waits is answered with 202', async () => {
    const answer = await client.request<{ id: string; state: string }>('POST', '/api/tasks', {
      body: { name: 'sleep', payload: { ms: 2_500 } },
      headers: { prefer: 'wait=1' },
    });
    expect(answer.status).toBe(202);
    expect((await client.finished(answer.body.id)).state).toBe('succeeded');
  });

  it('that fails is tried again, and every attempt can be read afterwards', async () => {
    const task = await run({ name: 'counted.flaky', payload: { failures: 2 } });
    expect(task).toMatchObject({ state: 'succeeded', attempt: 3, failures: 2, result: { failures: 2 } });
    const attempts = await client.attempts(task.id);
    expect(attempts.map(({ attempt, outcome, error }) => [attempt, outcome, error?.message ?? null])).toEqual([
      [1, 'failed', 'not yet'],
      [2, 'failed', 'not yet'],
      [3, 'succeeded', null],
    ]);
  });

  it('that fails leaves a line in the log of its worker with the place in the code, and not with the message', async () => {
    const { id } = await run({ name: 'counted.flaky', payload: { failures: 9 }, maxAttempts: 1 });
    const workers = backend.name === 'sqlite' ? [installation.api] : installation.workers;
    const isIt = ({ msg, taskId }: LogLine): boolean => msg.startsWith('A handler has thrown') && taskId === id;
    const line = await Promise.any(workers.map((worker) => worker.waitForLine(isIt)));
    expect(line).toMatchObject({ level: 'info', handler: 'counted.flaky', attempt: 1, err: { type: 'Error' } });
    expect(JSON.stringify(line)).toMatch(/frames":\["at .*\.mjs/);
    expect(JSON.stringify(line)).not.toContain('not yet');
  });

  it('that runs out of attempts, or says that trying again is pointless, is dead-lettered with the reason', async () => {
    const exhausted = await run({ name: 'counted.flaky', payload: { failures: 9 }, maxAttempts: 2 });
    expect(exhausted).toMatchObject({ state: 'failed', reason: 'attempts_exhausted', failures: 2, lastError: { message: 'not yet' } });
    const hopeless = await run({ name: 'counted.hopeless' });
    expect(hopeless).toMatchObject({ state: 'failed', reason: 'permanent_error', failures: 1, lastError: { code: 'hopeless' } });
    const again = await client.retry(hopeless.id);
    expect(['queued', 'running', 'failed']).toContain(again.state);
    expect(await client.finished(again.id)).toMatchObject({ state: 'failed', attempt: 2, failures: 1 });
  });

  it('that runs too long is stopped by its signal; one that is deaf to it is recorded all the same', async () => {
    const stopped = await run({ name: 'counted.sleep', payload: { ms: 20_000 }, timeoutMs: 200, maxAttempts: 1 });
    expect(stopped).toMatchObject({ state: 'failed', reason: 'attempts_exhausted', lastError: { code: 'timeout' } });
    const deaf = await run({ name: 'counted.deaf', payload: { ms: 1_500 }, timeoutMs: 100, maxAttempts: 1 });
    expect(deaf).toMatchObject({ state: 'failed', lastError: { code: 'timeout' } });
    expect((await client.attempts(deaf.id)).map(({ outcome }) => outcome)).toEqual(['timed_out']);
    await until(() => journal.lines().some(({ id, what }) => id === deaf.id && what === 'end'), { what: 'the deaf handler to end' });
    expect((await client.get(deaf.id)).state).toBe('failed');
  });

  it('that outlives its deadline fails, running or not', async () => {
    const running = await run({ name: 'counted.sleep', payload: { ms: 20_000 }, deadlineMs: 400 });
    expect(running).toMatchObject({ state: 'failed', reason: 'deadline_exceeded' });
    const waiting = await run({ name: 'counted.echo', delayMs: MINUTE_MS, deadlineMs: 300 });
    expect(waiting).toMatchObject({ state: 'failed', reason: 'deadline_exceeded', startedAt: null });
  });

  it('that is not due yet waits, and is not started before its time', async () => {
    const task = await client.submit({ name: 'counted.echo', delayMs: 700 });
    expect(task.state).toBe('scheduled');
    const done = await client.finished(task.id);
    expect(Date.parse(done.startedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(task.runAt));
  });

  it('that runs in another process is cancelled there, and its handler is stopped', async () => {
    const task = await client.submit({ name: 'counted.sleep', payload: { ms: MINUTE_MS } });
    await until(() => journal.starts().has(task.id), { what: 'the handler to start' });
    expect(await client.cancel(task.id)).toMatchObject({ state: 'running', cancelRequested: true });
    expect(await client.finished(task.id)).toMatchObject({ state: 'cancelled', cancelRequested: false });
    expect(
      journal
        .lines()
        .filter(({ id }) => id === task.id)
        .map(({ what }) => what),
    ).toEqual(['start']);
    await expect(client.cancel(task.id)).rejects.toMatchObject({ status: 409, problem: { code: 'invalid-state' } });
  });

  it('in a paused queue waits; there it can expire, be cancelled, or run after the resume', async () => {
    await client.pause('slow-lane');
    await until(async () => (await client.workers()).length > 0);
    // The workers read pauses every second; a task that slips through before that would be no proof.
    await until(
      async () => {
        const probe = await client.submit({ name: 'counted.echo', queue: 'slow-lane', expiresAt: in_(1_000) });
        return (await client.finished(probe.id)).state === 'expired';
      },
      { deadlineMs: 20_000, what: 'the pause to be in force' },
    );
    const cancelled = await client.submit({ name: 'counted.echo', queue: 'slow-lane' });
    expect(await client.cancel(cancelled.id)).toMatchObject({ state: 'cancelled', startedAt: null });
    const kept = await client.submit({ name: 'counted.echo', queue: 'slow-lane', payload: 'kept' });
    const [queue] = (await client.queues()).filter(({ name }) => name === 'slow-lane');
    expect(queue).toMatchObject({ paused: true, depth: { queued: 1 } });
    await client.resume('slow-lane');
    expect(await client.finished(kept.id)).toMatchObject({ state: 'succeeded', result: 'kept' });
  }, 60_000);

  it('reports its progress', async () => {
    const task = await client.submit({ name: 'counted.steps', payload: { ms: 300 } });
    const half = await until(async () => (await client.get(task.id)).progress, { what: 'a report' });
    expect(half).toMatchObject({ fraction: expect.any(Number), message: expect.stringMatching(/^step \d$/) });
    expect((await client.finished(task.id)).state).toBe('succeeded');
  });

  it('submitted fifty times at once with one key is one task', async () => {
    const body = { name: 'counted.echo', payload: { once: true } };
    const answers = await Promise.all(
      Array.from({ length: 50 }, () =>
        client.request<{ id: string; code?: string }>('POST', '/api/tasks', { body, headers: { 'idempotency-key': 'fifty' } }),
      ),
    );
    const accepted = answers.filter(({ status }) => status === 200 || status === 201);
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(new Set(accepted.map(({ body: { id } }) => id)).size).toBe(1);
    expect(answers.filter(({ status, body: { code } }) => status >= 400 && code !== 'idempotency-in-progress')).toEqual([]);
    const other = await client.request<{ code: string }>('POST', '/api/tasks', {
      body: { name: 'echo' },
      headers: { 'idempotency-key': 'fifty' },
    });
    expect(other).toMatchObject({ status: 422, body: { code: 'idempotency-key-reused' } });
  });

  it('belongs to its tenant', async () => {
    const task = await run({ name: 'counted.echo' });
    const stranger = installation.client({ tenant: 'other' });
    await expect(stranger.get(task.id)).rejects.toMatchObject({ status: 404 });
    await expect(stranger.attempts(task.id)).rejects.toMatchObject({ status: 404 });
    await expect(stranger.cancel(task.id)).rejects.toMatchObject({ status: 404 });
    await expect(stranger.retry(task.id)).rejects.toMatchObject({ status: 404 });
    expect(await stranger.listAll()).toEqual([]);
    expect(await stranger.queues()).toEqual([]);
  });

  it('whose name nobody knows is refused where that is certain, else given back and failed after the grace period', async () => {
    if (backend.name === 'sqlite') {
      await expect(client.submit({ name: 'nobody.knows' })).rejects.toMatchObject({
        status: 422,
        problem: { errors: [{ pointer: '/name', code: 'unknown-handler' }] },
      });
      const { items } = await client.submitBatch([{ name: 'echo' }, { name: 'nobody.knows' }]);
      const refused = { status: 422, problem: { errors: [{ pointer: '/tasks/1/name', code: 'unknown-handler' }] } };
      expect(items).toMatchObject([{ status: 201 }, refused]);
      return;
    }
    const task = await client.submit({ name: 'nobody.knows' });
    expect(await client.finished(task.id)).toMatchObject({ state: 'failed', reason: 'unknown_handler', failures: 0 });
    const outcomes = (await client.attempts(task.id)).map(({ outcome }) => outcome);
    expect(outcomes.filter((outcome) => outcome === 'released').length).toBeGreaterThan(1);
    // A worker that lacks the names of the folder gives them back until one that has them comes by.
    const ignorant = await fleet.start({ env: { ...installation.env, ROLE: 'worker', HANDLERS_DIR: temporaryDirectory('empty') } });
    const { items } = await client.submitBatch(Array.from({ length: 40 }, () => ({ name: 'counted.echo' })));
    for (const { task: one } of items) expect((await client.finished(one?.id ?? '')).state).toBe('succeeded');
    expect(await ignorant.stop()).toEqual({ code: 0, signal: null });
  }, 60_000);

  it('is found in any of fifty queues', async () => {
    const names = Array.from({ length: 50 }, (_, index) => `many-${index}`);
    const { items } = await client.submitBatch(names.map((queue) => ({ name: 'counted.echo', payload: queue, queue })));
    for (const { task } of items) expect((await client.finished(task?.id ?? '')).state).toBe('succeeded');
    // Again, now that the queues are known.
    const again = await client.submitBatch(names.map((queue) => ({ name: 'counted.echo', payload: queue, queue })));
    for (const { task } of again.items) expect((await client.finished(task?.id ?? '')).state).toBe('succeeded');
  }, 60_000);

  it('survives the orderly stop of its worker without a failure counted', async () => {
    const extra = backend.name === 'sqlite' ? installation.api : await installation.addWorker();
    const { items } = await client.submitBatch(Array.from({ length: 60 }, () => ({ name: 'counted.sleep', payload: { ms: 300 } })));
    const ids = items.map(({ task }) => task?.id ?? '');
    await until(() => ids.filter((id) => journal.starts().has(id)).length > 5, { what: 'some to have started' });
    expect(await extra.stop()).toEqual({ code: 0, signal: null });
    const successor = backend.name === 'sqlite' ? installation.clientOf(await installation.addWorker()) : client;
    for (const id of ids) {
      const task = await successor.finished(id);
      expect(task).toMatchObject({ state: 'succeeded', failures: 0, crashes: 0 });
    }
  }, 60_000);
});
