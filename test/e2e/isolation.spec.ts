/**
 * Handlers in a thread or process of their own, misbehaving in every way: the attempt ends with a clear reason, nobody beside it
 * is harmed, and nothing it did comes after its recorded end.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { backends, type Backend } from '../support/backends.js';
import type { Client } from '../support/client.js';
import { useFleet } from '../support/fleet.js';
import { Installation } from '../support/installation.js';
import { IsolatedHandlers } from '../support/isolated-handlers.js';
import { onServers } from '../support/on-servers.js';
import { removeDirectory, temporaryDirectory } from '../support/reaper.js';
import { until } from '../support/until.js';
import type { WireTask } from '../support/wire.js';

const GRACE_MS = 400;
const ENV = {
  // One of the modules takes for ever to load outside of the main thread, on purpose.
  PAYLOAD_SCHEMAS: 'off',
  WORKER_ABORT_GRACE_MS: String(GRACE_MS),
  WORKER_CANCEL_POLL_MS: '100',
  WORKER_POLL_MS: '200',
  WORKER_CONCURRENCY: '6',
  ISOLATE_START_MS: '4000',
  ISOLATE_ENV: 'SHOWN_TO_HANDLERS',
  SHOWN_TO_HANDLERS: 'yes',
  HIDDEN_FROM_HANDLERS: 'a secret of somebody else',
  // Not by accident the same as the defaults: what is too large for these must fail.
  RESULT_MAX_BYTES: '262144',
  CHECKPOINT_MAX_BYTES: '65536',
};
const KINDS = ['thread', 'process'] as const;

describe.each(backends())('an isolated handler on $name', (backend: Backend) => {
  const directory = temporaryDirectory('isolation');
  const handlers = new IsolatedHandlers(directory);
  const fleet = useFleet();
  let installation: Installation;
  let client: Client;

  beforeAll(async () => {
    installation = await Installation.start({ fleet, backend, handlersDir: handlers.handlersDir, workers: 1, env: ENV });
    client = installation.client();
  }, 60_000);
  afterAll(() => {
    removeDirectory(directory);
  });

  const run = async (task: Parameters<Client['submit']>[0]): Promise<WireTask> => client.submit(task, { waitSeconds: 30 });
  const workerLogs = () => installation.workers[0]!.logs();

  /** Another handler ticks for a while: time enough for one that goes on to be seen. */
  async function silentSince(task: WireTask): Promise<void> {
    const ticks = handlers.ticks(task.id);
    expect(ticks.length).toBeGreaterThan(0);
    expect(Math.max(...ticks.map(({ at }) => at))).toBeLessThanOrEqual(Date.parse(task.finishedAt ?? ''));
    await run({ name: 'process.deaf', timeoutMs: 300, maxAttempts: 1 });
    expect(handlers.ticks(task.id)).toEqual(ticks);
  }

  describe.each(KINDS)('in a %s', (kind) => {
    it('returns its result, and the next attempt finds it warm', async () => {
      const first = await run({ name: `${kind}.echo`, payload: { a: [1, null, '😀'] } });
      expect(first).toMatchObject({ state: 'succeeded', result: { payload: { a: [1, null, '😀'] } } });
      const { uses, place } = first.result as { uses: number; place: string };
      expect((await run({ name: `${kind}.echo` })).result).toMatchObject({ uses: uses + 1, place });
    });

    it('that blocks its own event loop is ended at its timeout, and blocks nobody else', async () => {
      const deaf = await Promise.all([1, 2].map(() => client.submit({ name: `${kind}.deaf-loop`, timeoutMs: 2_500, maxAttempts: 1 })));
      await until(() => deaf.every(({ id }) => handlers.ticks(id).length > 0), { what: 'both loops to run' });
      expect(await run({ name: 'plain.echo', payload: 1 })).toMatchObject({ state: 'succeeded', attempt: 1 });
      expect(await run({ name: `${kind}.echo`, payload: 2 })).toMatchObject({ state: 'succeeded', attempt: 1 });
      for (const { id } of deaf) {
        const ended = await client.finished(id);
        expect(ended).toMatchObject({ state: 'failed', reason: 'attempts_exhausted', lastError: { code: 'timeout' } });
        expect((await client.attempts(id)).map(({ outcome }) => outcome)).toEqual(['timed_out']);
        await silentSince(ended);
      }
      expect((await client.workers()).filter(({ state }) => state === 'live')).toHaveLength(1);
    });

    it('that ignores its abort is ended, and its slot is free at once', async () => {
      const deaf = await Promise.all(
        Array.from({ length: 6 }, () => client.submit({ name: `${kind}.deaf`, timeoutMs: 4_000, maxAttempts: 1 })),
      );
      for (const { id } of deaf) await silentSince(await client.finished(id));
      expect((await run({ name: 'plain.echo' })).state).toBe('succeeded');
    });

    it('has its last words, unfinished as they may be, logged as its own, and is used again', async () => {
      const before = (await run({ name: `${kind}.echo` })).result as { uses: number; place: string };
      const talks = [await run({ name: `${kind}.unfinished`, payload: 1 }), await run({ name: `${kind}.unfinished`, payload: 2 })];
      expect((await run({ name: `${kind}.echo` })).result).toMatchObject({ uses: before.uses + 1, place: before.place });
      const printed = () => workerLogs().filter(({ text }) => typeof text === 'string' && text.startsWith('printed by '));
      await until(() => printed().filter(({ taskId }) => talks.some(({ id }) => id === taskId)).length === 2);
      const own = talks.map(({ id }, index) => ({ taskId: id, text: `printed by ${index + 1}` }));
      for (const line of own) expect(printed()).toContainEqual(expect.objectContaining(line));
    });

    it('that left something going after it has returned takes it along', async () => {
      const left = await run({ name: `${kind}.leaves` });
      expect(left).toMatchObject({ state: 'succeeded', result: 'left' });
      const ticks = handlers.ticks(left.id);
      await run({ name: 'process.deaf', timeoutMs: 300, maxAttempts: 1 });
      expect(handlers.ticks(left.id)).toEqual(ticks);
    });

    it.each([
      ['exit', 'handler-exited', /exit code 3/],
      ['grow', 'handler-out-of-memory', /32 MiB/],
      ['float', 'handler-crashed', /nobody catches this/],
      ['late', 'handler-crashed', /thrown out of a timer/],
      ['nonsense', 'handler-crashed', /none of the platform/],
    ])('that ends itself by %s fails with %s, is tried again, and the worker lives on', async (name, code, message) => {
      const ended = await run({ name: `${kind}.${name}` });
      expect(ended).toMatchObject({ state: 'failed', reason: 'attempts_exhausted', attempt: 2, failures: 2 });
      expect(ended.lastError).toMatchObject({ code, message: expect.stringMatching(message) });
      expect((await run({ name: 'plain.echo' })).state).toBe('succeeded');
    });

    it.each([
      ['permanent', { code: 'hopeless', message: 'never' }],
      ['huge', { code: 'result-too-large' }],
      ['bigint', { code: 'result-not-serialisable' }],
      ['bad', { code: 'checkpoint-too-large' }],
    ])('that fails for good by %s does so at once', async (name, lastError) => {
      expect(await run({ name: `${kind}.${name}` })).toMatchObject({ state: 'failed', reason: 'permanent_error', failures: 1, lastError });
    });

    it('asks for a pause, reports progress, keeps a checkpoint, puts itself off and holds resources as anywhere', async () => {
      expect(await run({ name: `${kind}.again` })).toMatchObject({ state: 'succeeded', result: 1, attempt: 2 });
      const steps = await run({ name: `${kind}.steps` });
      expect(steps).toMatchObject({ state: 'succeeded', attempt: 2, failures: 0, result: { found: { page: 7 }, failures: 0 } });
      expect(steps.progress).toMatchObject({ fraction: 0.5, message: 'half' });
      expect(await run({ name: `${kind}.holds` })).toMatchObject({ state: 'succeeded', attempt: 2, result: ['lock door-1'] });
    });

    it('is cancelled, whether it listens or not', async () => {
      const tasks = await Promise.all(['polite', 'deaf-loop'].map((name) => client.submit({ name: `${kind}.${name}` })));
      await until(() => tasks.every(({ id }) => handlers.ticks(id).length > 0), { what: 'both to run' });
      for (const { id } of tasks) await client.cancel(id);
      for (const { id } of tasks) {
        const ended = await client.finished(id);
        expect(ended).toMatchObject({ state: 'cancelled', attempt: 1 });
        await silentSince(ended);
      }
      expect(workerLogs()).toContainEqual(expect.objectContaining({ msg: 'told', reason: 'AbortError', taskId: tasks[0]!.id, attempt: 1 }));
    });

    it('sees nothing of the environment but what it may', async () => {
      const { result } = await run({ name: `${kind}.env` });
      expect(result).toMatchObject({ PATH: expect.any(String), SHOWN_TO_HANDLERS: 'yes' });
      const allowed = ['PATH', 'HOME', 'TZ', 'LANG', 'NODE_ENV', 'SHOWN_TO_HANDLERS'];
      expect(Object.keys(result as object).filter((name) => !allowed.includes(name))).toEqual([]);
    });

    it('has its lines in the log of the worker, with the ids of the task', async () => {
      const { id } = await run({ name: `${kind}.talk` });
      const expected = [
        { level: 'info', msg: 'a line', colour: 'blue', err: expect.objectContaining({ message: 'shown' }) },
        { level: 'info', msg: 'The handler wrote a line.', stream: 'stdout', text: 'printed' },
        { level: 'warn', msg: 'The handler wrote a line.', stream: 'stderr', text: 'complained' },
      ];
      for (const line of expected) {
        await until(() => {
          expect(workerLogs()).toContainEqual(expect.objectContaining({ ...line, taskId: id, attempt: 1, handler: `${kind}.talk` }));
          return true;
        });
      }
    });
  });

  it.each(['process.spawns', 'process.spawns-and-exits'])('%s: what it has started ends with it', async (name) => {
    const ended = await run({ name, timeoutMs: 2_500, maxAttempts: 1 });
    expect(ended.state).toBe('failed');
    await silentSince(ended);
  });

  it('that fills its memory with buffers is ended all the same, as a process', async () => {
    const ended = await run({ name: 'process.buffers', maxAttempts: 1 });
    expect(ended.lastError).toMatchObject({ code: 'handler-out-of-memory' });
  });

  it('that cannot be started in time fails, and says so', async () => {
    const ended = await run({ name: 'thread.slow' });
    expect(ended).toMatchObject({ state: 'failed', failures: 1, lastError: { code: 'isolate-not-started' } });
  });

  it('is given back when the worker stops, and is silent before the next attempt begins', async () => {
    const tasks = await Promise.all(KINDS.map((kind) => client.submit({ name: `${kind}.deaf-loop`, timeoutMs: 60_000 })));
    await until(() => tasks.every(({ id }) => handlers.ticks(id).length > 0), { what: 'both to run' });
    await installation.workers[0]!.stop();
    const revived = await installation.addWorker();
    const second = (id: string): boolean => handlers.ticks(id).some(({ attempt }) => attempt === 2);
    await until(() => tasks.every(({ id }) => second(id)), { deadlineMs: 20_000, what: 'the second attempts' });
    const after = backend.name === 'sqlite' ? installation.clientOf(revived) : client;
    for (const { id } of tasks) {
      expect(attemptsInOrder(handlers, id)).toEqual([1, 2]);
      expect((await after.attempts(id))[0]).toMatchObject({ attempt: 1, outcome: 'released' });
      expect((await after.get(id)).failures).toBe(0);
    }
  });
});

/** The attempts in the order they wrote, without repetitions: [1, 2] where they did not overlap. */
function attemptsInOrder(handlers: IsolatedHandlers, id: string): number[] {
  return handlers
    .ticks(id)
    .map(({ attempt }) => attempt)
    .filter((attempt, index, all) => attempt !== all[index - 1]);
}

onServers('a worker with isolated handlers', (backend: Backend) => {
  const directory = temporaryDirectory('isolation');
  const handlers = new IsolatedHandlers(directory);
  const fleet = useFleet();
  const env = { ...ENV, WORKER_LEASE_MS: '3000', SCHEDULER_SWEEP_MS: '300', WORKER_CONCURRENCY: '4' };
  afterAll(() => {
    removeDirectory(directory);
  });

  it.each(['SIGKILL', 'SIGSTOP'] as const)('that ends by %s takes them along before somebody else runs their tasks', async (signal) => {
    const expectErrors = true;
    const installation = await Installation.start({ fleet, backend, handlersDir: handlers.handlersDir, workers: 1, env, expectErrors });
    const client = installation.client();
    const names = ['process.deaf-loop', 'process.deaf', 'process.spawns'];
    const tasks = await Promise.all(names.map((name) => client.submit({ name, timeoutMs: 60_000 })));
    await until(() => tasks.every(({ id }) => handlers.ticks(id).length > 0), { what: 'all of them to run' });
    const [first] = installation.workers;
    first!.kill(signal);
    await installation.addWorker();
    const second = (id: string): boolean => handlers.ticks(id).some(({ attempt }) => attempt === 2);
    await until(() => tasks.every(({ id }) => second(id)), { deadlineMs: 30_000, what: 'the second attempts' });
    if (signal === 'SIGSTOP') {
      first!.kill('SIGCONT');
      await first!.waitForLine(({ msg }) => msg.startsWith('This worker was declared lost'));
    }
    for (const { id } of tasks) await client.cancel(id);
    for (const { id } of tasks) {
      const ended = await client.finished(id);
      expect(ended).toMatchObject({ state: 'cancelled', attempt: 2, failures: 0 });
      expect(attemptsInOrder(handlers, id)).toEqual([1, 2]);
      expect((await client.attempts(id)).map(({ outcome }) => outcome)).toEqual(['lost', 'cancelled']);
    }
  });
});
