/**
 * The worker's way from an id to a recorded outcome, on a real store whose answers get lost. Whatever happens to the answer of
 * a claim, the handler of a task that was claimed runs exactly once for that claim, and no slot is lost.
 */
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { loadConfig } from '@app/config';
import { HandlerRegistry, type TaskContext } from '@app/handlers';
import { createLogger } from '@app/telemetry';
import { Executor } from '../../../apps/server/worker/executor.js';
import { Intake } from '../../../apps/server/worker/intake.js';
import { Slots } from '../../../apps/server/worker/slots.js';
import { onEveryStore } from '../../support/store-suite.js';
import { bytesOf } from '../../support/store.js';
import { until } from '../../support/until.js';

const SLOTS = 8;
const config = loadConfig({
  WORKER_CONCURRENCY: String(SLOTS),
  WORKER_ABORT_GRACE_MS: '100',
  POISON_CRASHES: '3',
  UNKNOWN_HANDLER_PAUSE_MS: '100',
});
const logger = createLogger({ level: 'silent', format: 'json', role: 'test' });

onEveryStore('the intake', (current) => {
  let lease: { id: Buffer; held: boolean };
  let slots: Slots;
  let executor: Executor;
  let intake: Intake;
  let runs: string[];
  let release: () => void;
  let opened: Promise<void>;

  beforeEach(async () => {
    const store = current();
    runs = [];
    opened = new Promise((resolve) => {
      release = resolve;
    });
    const registry = new HandlerRegistry();
    const note = (context: TaskContext): void => void runs.push(context.id);
    registry.register(
      {
        name: 'echo',
        run: (_payload: unknown, context: TaskContext) => {
          note(context);
        },
      },
      'the test',
    );
    registry.register(
      {
        name: 'gated',
        run: async (_payload: unknown, context: TaskContext) => {
          note(context);
          await opened;
        },
      },
      'the test',
    );
    lease = { id: await store.hire(), held: true };
    slots = new Slots(config);
    executor = new Executor(config, registry, store.settler, store.progress, logger);
    intake = new Intake(slots, lease, store.claimer, store.queues, store.ringer, executor, store.drain, logger);
  });

  afterEach(async () => {
    release();
    await until(() => slots.busy === 0, { what: 'every slot to be free again' });
  });

  const take = async (ids: readonly string[]): Promise<void> => {
    const reserved = slots.reserve(ids.length);
    expect(reserved).toBe(ids.length);
    await intake.takeIds(ids.map(bytesOf));
  };

  const succeeded = async (ids: readonly string[]): Promise<void> => {
    await until(async () => (await Promise.all(ids.map((id) => current().row(id)))).every(({ state }) => state === 'succeeded'), {
      what: 'every task to succeed',
    });
  };

  it('runs what it is given', async () => {
    const ids = (await current().addMany(5)).map(({ id }) => id);
    await take(ids);
    await succeeded(ids);
    expect(runs.sort()).toEqual([...ids].sort());
  });

  it.each(['loseAnswer', 'loseCommit'] as const)('runs it once when the claim meets: %s', async (accident) => {
    const store = current();
    const ids = (await store.addMany(5)).map(({ id }) => id);
    store.database[accident](['batch']);
    await take(ids);
    await succeeded(ids);
    expect(runs.sort()).toEqual([...ids].sort());
    for (const id of ids) expect((await store.row(id))['attempt']).toBe(1);
  });

  it.each(['loseAnswer', 'loseCommit'] as const)('runs it once when the claim from the backlog meets: %s', async (accident) => {
    const store = current();
    const ids = (await store.addMany(5)).map(({ id }) => id);
    await store.ringer.setAside(ids.map(bytesOf));
    store.database[accident](['transaction']);
    const draw = () => intake.takeBacklog({ queue: 'default', lane: 'normal', tenant: 'acme' }, slots.reserve(SLOTS));
    // A transaction that never began has taken nothing; the next look finds the same tasks.
    expect(await draw()).toBe(accident === 'loseAnswer' ? 5 : 0);
    if (accident === 'loseCommit') expect(await draw()).toBe(5);
    await succeeded(ids);
    expect(runs.sort()).toEqual([...ids].sort());
  });

  it('waits for a database that is away, and gives every slot back', async () => {
    const store = current();
    const ids = (await store.addMany(3)).map(({ id }) => id);
    store.database.beAway(2, ['batch', 'query']);
    await take(ids);
    await succeeded(ids);
    expect(runs.sort()).toEqual([...ids].sort());
  });

  it('does not start twice what two messages name', async () => {
    const store = current();
    const [task] = await store.addMany(1, { name: 'gated' });
    const id = task?.id ?? '';
    await take([id]);
    await take([id]);
    expect(slots.busy).toBe(1);
    release();
    await succeeded([id]);
    expect(runs).toEqual([id]);
  });

  it('drops what it claimed under a lease that is lost by then', async () => {
    const store = current();
    const [task] = await store.addMany(1);
    const id = task?.id ?? '';
    const before = lease.id;
    store.database.interrupt(['batch'], () => {
      lease.id = Buffer.alloc(16, 7);
      return Promise.resolve();
    });
    await take([id]);
    expect(runs).toEqual([]);
    expect(slots.busy).toBe(0);
    await store.bury(before);
    await store.sweeper.takeBack();
    expect(await store.row(id)).toMatchObject({ state: 'queued' });
  });
});
