/** A worker that was declared lost and comes back under a new name: what was claimed under the old one is not its own any more. */
import { expect, it } from '@jest/globals';
import { loadConfig } from '@app/config';
import type { Database, Sql } from '@app/database';
import { HandlerRegistry, type TaskContext } from '@app/handlers';
import { Loops, Shutdown } from '@app/lifecycle';
import type { Workers } from '@app/tasks';
import { createLogger } from '@app/telemetry';
import { Attempts } from '../../../apps/server/worker/attempt.js';
import { BusyTurns } from '../../../apps/server/worker/busy-turns.js';
import { Executor } from '../../../apps/server/worker/executor.js';
import { Intake } from '../../../apps/server/worker/intake.js';
import { Isolates } from '../../../apps/server/worker/isolates/isolates.js';
import { Lease } from '../../../apps/server/worker/lease.js';
import { Desks } from '../../../apps/server/worker/local-desk.js';
import { RunningLimits } from '../../../apps/server/worker/running-limits.js';
import { Slots } from '../../../apps/server/worker/slots.js';
import { Suspects } from '../../../apps/server/worker/suspects.js';
import { BacklogCursors } from '../../../apps/server/worker/backlog-cursors.js';
import { Unclaimable } from '../../../apps/server/worker/unclaimable.js';
import { FixedLimits } from '../../support/fixed-limits.js';
import { onEveryStore } from '../../support/store-suite.js';
import { bytesOf } from '../../support/store.js';
import { until } from '../../support/until.js';

const config = loadConfig({ WORKER_LEASE_MS: '3000', SCHEDULER_SWEEP_MS: '1000' });
const logger = createLogger({ level: 'silent', format: 'json', role: 'test' });

onEveryStore('a renewed lease', (current) => {
  it('does not start what was claimed under a lease that is being renewed when the answer comes', async () => {
    const store = current();
    const runs: string[] = [];
    const registry = new HandlerRegistry();
    registry.register({ name: 'echo', run: (_payload: unknown, { id }: TaskContext) => void runs.push(id) }, 'the test');
    const slots = new Slots(config);
    const suspects = new Suspects();
    const desks = new Desks(config, store.progress, store.checkpoints, store.resources, store.reader);
    const attempts = new Attempts(
      config,
      store.settler,
      desks,
      new Isolates(config, registry, new Shutdown(), logger),
      store.clock,
      logger,
    );
    const executor = new Executor(config, registry, store.settler, attempts, store.workers, suspects, new Shutdown(), store.clock, logger);
    const opening = new AbortController();
    const gate = new Promise<void>((resolve) => {
      opening.signal.addEventListener('abort', () => {
        resolve();
      });
    });
    let registrations = 0;
    const register = async (...given: Parameters<Workers['register']>): Promise<void> => {
      registrations += 1;
      if (registrations > 1) await gate;
      await store.workers.register(...given);
    };
    const workers = Object.assign(Object.create(store.workers) as Workers, { register });
    // The heartbeat's thread is nothing that a test can wait for; the other way to beat is the same but for that.
    const execute = (statement: Sql): Promise<number> => store.raw.execute(statement);
    const database = { dialect: { engine: 'sqlite' }, execute } as unknown as Database;
    const renewed = new Lease(
      config,
      database,
      workers,
      store.ids,
      registry,
      executor,
      store.clock,
      new Loops(),
      store.drain,
      new Shutdown(),
      logger,
    );
    await renewed.start();
    const before = renewed.id;
    const limits = new RunningLimits(config, new FixedLimits(), store.workers, store.clock);
    const own = new Intake(
      slots,
      renewed,
      store.claimer,
      store.limitedClaimer,
      limits,
      new BusyTurns(),
      store.queues,
      store.ringer,
      executor,
      suspects,
      new Unclaimable(store.clock, logger),
      new BacklogCursors(store.clock),
      store.drain,
      store.clock,
      logger,
    );
    const [task] = await store.addMany(1);
    const id = task?.id ?? '';
    store.database.delayAnswer(['batch'], async () => {
      await store.bury(before);
      await until(() => registrations === 2, { what: 'the renewal to begin' });
    });
    expect(slots.reserve(1)).toBe(1);
    await own.takeIds([bytesOf(id)]);
    opening.abort();
    await until(() => renewed.held, { what: 'the lease to be renewed' });
    await until(() => executor.count === 0 && slots.busy === 0, { what: 'the slot to be free' });
    expect(runs).toEqual([]);
    expect(renewed.id.equals(before)).toBe(false);
    await store.sweeper.takeBack();
    expect(await store.row(id)).toMatchObject({ state: 'queued' });
    await renewed.stop();
  });
});
