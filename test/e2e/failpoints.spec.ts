/**
 * Processes that stand still at an exact place, longer than anybody waits for them, and then go on. Meanwhile the others go on without
 * them, also where they hold locks; afterwards they write nothing and start nothing of what is no longer theirs.
 */
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import type { Backend } from '../support/backends.js';
import { Client } from '../support/client.js';
import { useFleet } from '../support/fleet.js';
import { Journal, type JournalLine } from '../support/journal.js';
import { migrateWith } from '../support/migrate.js';
import { onServers } from '../support/on-servers.js';
import type { App } from '../support/process.js';
import { removeDirectory, temporaryDirectory } from '../support/reaper.js';
import { signToken, TEST_SECRET } from '../support/token.js';
import { until } from '../support/until.js';

const FAST = {
  WORKER_LEASE_MS: '3000',
  WORKER_POLL_MS: '200',
  WORKER_CONCURRENCY: '3',
  SCHEDULER_SWEEP_MS: '200',
  SCHEDULER_PROMOTE_MS: '100',
  SCHEDULER_RECONCILE_MS: '200',
  RECONCILE_GRACE_MS: '1000',
  DATABASE_IDLE_TRANSACTION_TIMEOUT_MS: '1000',
  POISON_CRASHES: '50',
  HEARTBEAT_TASK: 'off',
};
const TOLD = ['This worker was declared lost', 'No heartbeat got through'];
const TASKS = 3;
const PATIENCE = { deadlineMs: 40_000 };

onServers('a process that stands still', (backend: Backend) => {
  const fleet = useFleet();
  const directory = temporaryDirectory('failpoints');
  const journal = new Journal(directory);
  let env: Record<string, string>;
  let client: Client;
  let queues = 0;
  const running: App[] = [];

  /** Ends with the test, so that it takes no work of the next. */
  const start = async (role: string, more: Readonly<Record<string, string>> = {}): Promise<App> => {
    const app = fleet.spawn({ env: { ...env, ROLE: role, ...more }, expectErrors: ({ msg }) => TOLD.some((text) => msg.startsWith(text)) });
    running.push(app);
    await app.waitForReady(PATIENCE.deadlineMs);
    return app;
  };
  const stopping = (role: string, place: string, more: Readonly<Record<string, string>> = {}): Promise<App> =>
    start(role, { FAILPOINTS: `${place}=stop@1`, ...more });
  const standsStill = async (app: App): Promise<void> => {
    await until(() => app.stderr().includes(': stop at pass 1'), { ...PATIENCE, what: 'the process to stand still' });
  };
  const clientOf = (app: App): Client => new Client(app.url, signToken());
  const submit = async (queue: string, task: { name: string; payload?: unknown; delayMs?: number }): Promise<string[]> => {
    const { items } = await client.submitBatch(Array.from({ length: TASKS }, () => ({ queue, ...task })));
    return items.map((item) => item.task?.id ?? '');
  };
  const allSucceed = async (ids: readonly string[]): Promise<void> => {
    for (const id of ids) expect(await client.finished(id, PATIENCE.deadlineMs)).toMatchObject({ state: 'succeeded', failures: 0 });
  };
  const startsBy = ({ pid }: App, ids: readonly string[]): JournalLine[] =>
    journal.lines().filter((line) => line.what === 'start' && line.pid === pid && ids.includes(line.id));
  const outcomes = async (id: string): Promise<string[]> => (await client.attempts(id)).map(({ outcome }) => outcome);

  /** A worker that was declared lost has said that it lives, and works again under another name. */
  const comesBack = async (worker: App): Promise<void> => {
    await worker.waitForLine(({ msg }) => msg.startsWith('This worker was declared lost'), 20_000, 'the worker to notice');
    await until(async () => (await client.workers()).some(({ pid, state }) => pid === worker.pid && state === 'live'), {
      ...PATIENCE,
      what: 'the worker to be registered anew',
    });
  };
  const nobodyIsBlamed = async (ids: readonly string[]): Promise<void> => {
    await until(async () => (await Promise.all(ids.map((id) => client.get(id)))).every(({ crashes }) => crashes === 0), {
      ...PATIENCE,
      what: 'the crashes to be taken back',
    });
  };

  beforeAll(async () => {
    env = {
      ...(await backend.environment()),
      ...FAST,
      HANDLERS_DIR: journal.handlersDir,
      AUTH_JWT_SECRET: TEST_SECRET,
      LOG_FORMAT: 'json',
    };
    await migrateWith(env);
    client = clientOf(await fleet.start({ env: { ...env, ROLE: 'api' } }));
  }, 60_000);
  afterEach(async () => {
    await Promise.all(running.splice(0).map((app) => app.end()));
  });
  afterAll(() => {
    removeDirectory(directory);
  });

  const newQueue = (): string => `still-${(queues += 1)}`;

  it.each(['claim.committed', 'claim.known', 'run.starting'])(
    'at %s past its lease starts nothing that others have taken',
    async (place) => {
      const queue = newQueue();
      await start('scheduler');
      const frozen = await stopping('worker', place, { WORKER_QUEUES: queue });
      const ids = await submit(queue, { name: 'counted.echo' });
      await standsStill(frozen);
      const other = await start('worker', { WORKER_QUEUES: queue });
      await allSucceed(ids);
      frozen.kill('SIGCONT');
      await comesBack(frozen);
      await nobodyIsBlamed(ids);
      // Its claim may have been of one task or of all.
      const attempts = await Promise.all(ids.map(outcomes));
      expect(attempts.some((found) => found.length === 2)).toBe(true);
      for (const found of attempts) expect(found).toEqual(found.length === 2 ? ['lost', 'succeeded'] : ['succeeded']);
      expect(startsBy(frozen, ids)).toEqual([]);
      expect(startsBy(other, ids)).toHaveLength(TASKS);
      await other.end();
      const [after] = await submit(queue, { name: 'counted.echo' });
      expect((await client.finished(after ?? '', PATIENCE.deadlineMs)).state).toBe('succeeded');
    },
    120_000,
  );

  it('at claim.locked lets the others have the tasks that it has locked', async () => {
    const queue = newQueue();
    await client.pause(queue);
    const ids = await submit(queue, { name: 'counted.echo' });
    const frozen = await stopping('worker', 'claim.locked', { WORKER_QUEUES: queue });
    await client.resume(queue);
    await standsStill(frozen);
    // Nobody sweeps here: the worker is not lost, it is in the way.
    await start('worker', { WORKER_QUEUES: queue });
    await allSucceed(ids);
    frozen.kill('SIGCONT');
    await until(() => frozen.logs().some(({ msg }) => msg.startsWith('The database answers again')), { ...PATIENCE, what: 'it to go on' });
    for (const id of ids) expect(await outcomes(id)).toEqual(['succeeded']);
    expect(startsBy(frozen, ids)).toEqual([]);
  }, 120_000);

  it.each(['settle.moved', 'settle.locked'])(
    'at %s writes nothing once it goes on, and blocks neither a sweep nor a cancel',
    async (place) => {
      const queue = newQueue();
      await start('scheduler');
      const frozen = await stopping('worker', place, { WORKER_QUEUES: queue, WORKER_CONCURRENCY: '1' });
      // A first failure takes the careful way, a success the quick one.
      const task = place === 'settle.moved' ? { name: 'counted.echo' } : { name: 'counted.flaky', payload: { failures: 1 } };
      const { id } = await client.submit({ queue, ...task });
      const { id: unwanted } = await client.submit({ queue, ...task });
      await standsStill(frozen);
      const [held] = journal.lines().filter((line) => line.pid === frozen.pid);
      const [wanted, cancelled] = held?.id === id ? [unwanted, id] : [id, unwanted];
      // The row is locked by a transaction of a process that stands still.
      expect(await client.cancel(cancelled)).toMatchObject({ state: 'running', cancelRequested: true });
      await start('worker', { WORKER_QUEUES: queue });
      expect((await client.finished(wanted, PATIENCE.deadlineMs)).state).toBe('succeeded');
      expect(await client.finished(cancelled, PATIENCE.deadlineMs)).toMatchObject({ state: 'cancelled', failures: 0 });
      frozen.kill('SIGCONT');
      await comesBack(frozen);
      expect(await client.get(cancelled)).toMatchObject({ state: 'cancelled', failures: 0, result: null });
      expect(await outcomes(cancelled)).toEqual(['lost']);
    },
    120_000,
  );

  it('at settle.committed has settled, and what it has settled is nobody else’s', async () => {
    const queue = newQueue();
    await start('scheduler');
    const frozen = await stopping('worker', 'settle.committed', { WORKER_QUEUES: queue });
    const ids = await submit(queue, { name: 'counted.echo' });
    await standsStill(frozen);
    await start('worker', { WORKER_QUEUES: queue });
    await allSucceed(ids);
    await until(async () => (await client.workers()).some(({ pid, state }) => pid === frozen.pid && state === 'lost'), {
      ...PATIENCE,
      what: 'the worker to be lost',
    });
    frozen.kill('SIGCONT');
    await comesBack(frozen);
    for (const id of ids) expect((await outcomes(id)).filter((outcome) => outcome === 'succeeded')).toHaveLength(1);
    const settled = (await Promise.all(ids.map((id) => client.attempts(id)))).filter((attempts) => attempts.length === 1);
    expect(settled.length).toBeGreaterThan(0);
    await nobodyIsBlamed(ids);
  }, 120_000);

  it.each(['sweep.marked', 'sweep.locked', 'sweep.committed'])(
    'at %s is a scheduler whose work another does, and that declares nobody lost when it goes on',
    async (place) => {
      const queue = newQueue();
      const frozen = await stopping('scheduler', place);
      const dead = await start('worker', { WORKER_QUEUES: queue });
      const ids = await submit(queue, { name: 'counted.sleep', payload: { ms: 500 } });
      await until(() => ids.every((id) => journal.starts().has(id)), { ...PATIENCE, what: 'all to start' });
      await dead.end();
      await standsStill(frozen);
      const [other, scheduler] = await Promise.all([start('worker', { WORKER_QUEUES: queue }), start('scheduler')]);
      await allSucceed(ids);
      for (const id of ids) expect(await outcomes(id)).toEqual(['lost', 'succeeded']);
      // From here on only the one that stood still can notice that somebody is lost. It must notice the dead, and nobody else.
      await scheduler.end();
      frozen.kill('SIGCONT');
      const doomed = await start('worker', { WORKER_QUEUES: newQueue() });
      await doomed.end();
      const stateOf = async (pid: number): Promise<string | undefined> =>
        (await client.workers()).find((worker) => worker.pid === pid)?.state;
      await until(async () => (await stateOf(doomed.pid)) === 'lost', { ...PATIENCE, what: 'the dead worker to be noticed' });
      expect(await stateOf(other.pid)).toBe('live');
      for (const id of ids) expect(await outcomes(id)).toEqual(['lost', 'succeeded']);
    },
    120_000,
  );

  it('at promote.locked is a scheduler whose due tasks another promotes', async () => {
    const queue = newQueue();
    const frozen = await stopping('scheduler', 'promote.locked');
    const ids = await submit(queue, { name: 'counted.echo', delayMs: 300 });
    await standsStill(frozen);
    const [scheduler] = await Promise.all([start('scheduler'), start('worker', { WORKER_QUEUES: queue })]);
    await allSucceed(ids);
    frozen.kill('SIGCONT');
    const [again] = await submit(queue, { name: 'counted.echo', delayMs: 100 });
    await scheduler.end();
    await allSucceed([again ?? '']);
    for (const id of ids) expect(await outcomes(id)).toEqual(['succeeded']);
  }, 120_000);

  it('at submit.committed is an api whose task runs all the same, once, and whose client has its answer in the end', async () => {
    const queue = newQueue();
    const [frozen] = await Promise.all([stopping('api', 'submit.committed'), start('scheduler')]);
    const answer = clientOf(frozen).submit({ name: 'counted.echo', queue });
    answer.catch(() => undefined);
    await standsStill(frozen);
    await start('worker', { WORKER_QUEUES: queue });
    const [task] = await until(
      async () => {
        const tasks = await client.listAll({ queue, state: 'succeeded' });
        return tasks.length === 1 ? tasks : null;
      },
      { ...PATIENCE, what: 'the task to succeed' },
    );
    frozen.kill('SIGCONT');
    expect((await answer).id).toBe(task?.id);
    expect(journal.starts().get(task?.id ?? '')).toBe(1);
  }, 120_000);

  it('at submit.key-claimed is an api that keeps no key from another, and answers with the same task in the end', async () => {
    const queue = newQueue();
    const frozen = await stopping('api', 'submit.key-claimed');
    const request = { name: 'counted.echo', queue };
    const late = clientOf(frozen).submit(request, { idempotencyKey: queue });
    late.catch(() => undefined);
    await standsStill(frozen);
    const { id } = await client.submit(request, { idempotencyKey: queue });
    frozen.kill('SIGCONT');
    expect((await late).id).toBe(id);
    expect(await client.listAll({ queue })).toHaveLength(1);
  }, 120_000);
});
