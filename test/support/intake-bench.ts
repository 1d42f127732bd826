/**
 * The worker's parts from a claim to a recorded outcome, on a real store, without readers and loops: the test hands it ids and says
 * when handlers end.
 */
import { expect } from '@jest/globals';
import { loadConfig } from '@app/config';
import { sql } from '@app/database';
import { HandlerRegistry, type TaskContext } from '@app/handlers';
import { Shutdown } from '@app/lifecycle';
import { createLogger } from '@app/telemetry';
import { Attempts } from '../../apps/server/worker/attempt.js';
import { BusyTurns } from '../../apps/server/worker/busy-turns.js';
import { Executor } from '../../apps/server/worker/executor.js';
import { Intake } from '../../apps/server/worker/intake.js';
import { Isolates } from '../../apps/server/worker/isolates/isolates.js';
import { Desks } from '../../apps/server/worker/local-desk.js';
import { RunningLimits } from '../../apps/server/worker/running-limits.js';
import { Slots } from '../../apps/server/worker/slots.js';
import { Suspects } from '../../apps/server/worker/suspects.js';
import { BacklogCursors } from '../../apps/server/worker/backlog-cursors.js';
import { Unclaimable } from '../../apps/server/worker/unclaimable.js';
import { FixedLimits } from './fixed-limits.js';
import { bytesOf, newTask, type Store } from './store.js';
import { until } from './until.js';

export const SLOTS = 8;
/** Where the tasks of a test wait. */
export const PLACE = { queue: 'default', lane: 'normal', tenant: 'acme' } as const;

export class IntakeBench {
  readonly config = loadConfig({
    WORKER_CONCURRENCY: String(SLOTS),
    WORKER_ABORT_GRACE_MS: '100',
    POISON_CRASHES: '3',
    UNKNOWN_HANDLER_PAUSE_MS: '100',
  });
  readonly logger = createLogger({ level: 'silent', format: 'json', role: 'test' });
  /** The ids of the attempts that were begun. */
  readonly runs: string[] = [];
  readonly slots = new Slots(this.config);
  readonly suspects = new Suspects();
  readonly book = new FixedLimits();
  readonly registry = new HandlerRegistry();
  readonly executor: Executor;
  readonly intake: Intake;
  readonly limits: RunningLimits;
  private readonly gate = new AbortController();

  private constructor(
    private readonly store: Store,
    readonly lease: { id: Buffer; held: boolean },
  ) {
    const { config, logger, registry } = this;
    this.registerHandlers();
    const desks = new Desks(config, store.progress, store.checkpoints, store.resources, store.reader);
    const isolates = new Isolates(config, registry, new Shutdown(), logger);
    const attempts = new Attempts(config, store.settler, desks, isolates, store.clock, logger);
    const { settler, workers, clock } = store;
    this.executor = new Executor(config, registry, settler, attempts, workers, this.suspects, new Shutdown(), clock, logger);
    this.limits = new RunningLimits(config, this.book, workers, clock);
    this.intake = new Intake(
      this.slots,
      lease,
      store.claimer,
      store.limitedClaimer,
      this.limits,
      new BusyTurns(),
      store.queues,
      store.ringer,
      this.executor,
      this.suspects,
      new Unclaimable(clock, logger),
      new BacklogCursors(clock),
      store.drain,
      clock,
      logger,
    );
  }

  static async set(store: Store): Promise<IntakeBench> {
    return new IntakeBench(store, { id: await store.hire(), held: true });
  }

  /** Lets handlers end, and waits until all have. */
  async end(): Promise<void> {
    this.release();
    await until(() => this.slots.busy === 0, { what: 'every slot to be free again' });
  }

  /** Lets the handlers named `gated` end. */
  release(): void {
    this.gate.abort();
  }

  /** Claims them, as a reader would. */
  async take(ids: readonly string[]): Promise<void> {
    expect(this.slots.reserve(ids.length)).toBe(ids.length);
    await this.intake.takeIds(ids.map(bytesOf));
  }

  /** By a submitter that knows no queue yet, as every process does when it starts. */
  async submitGated(count: number): Promise<string[]> {
    const submitter = this.store.submitterOf();
    const added = await Promise.all(Array.from({ length: count }, () => submitter.submit(newTask({ name: 'gated' }))));
    await submitter.drained();
    return added.map(({ task }) => task.id);
  }

  /** From then on a claim within the tenant's limit is one transaction. */
  async makeTurn(): Promise<void> {
    await this.store.raw.execute(sql`INSERT INTO running_turns (tenant) VALUES ('acme')`);
  }

  async succeeded(ids: readonly string[]): Promise<void> {
    await until(async () => (await Promise.all(ids.map((id) => this.store.row(id)))).every(({ state }) => state === 'succeeded'), {
      what: 'every task to succeed',
    });
  }

  /** One more handler, of the test's own. */
  handle(name: string, run: (context: TaskContext) => unknown): void {
    this.registry.register({ name, run: (_payload: unknown, context: TaskContext) => run(context) }, 'the test');
  }

  private registerHandlers(): void {
    const { signal } = this.gate;
    const opened = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => {
        resolve();
      });
    });
    this.handle('echo', ({ id }) => void this.runs.push(id));
    this.handle('gated', ({ id }) => {
      this.runs.push(id);
      return opened;
    });
    this.handle('chatty', (context) => void context.progress(0.5));
  }
}
