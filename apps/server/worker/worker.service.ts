/**
 * Starts and stops a worker: lease first, then readers and drawer; in reverse when it stops. A stop takes nothing new, lets
 * what runs finish, then tells it to stop and gives back what did not, while the heartbeat goes on to the very end: a worker
 * that stopped beating before its work was done would have its tasks started elsewhere.
 */
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Config } from '@app/config';
import { Database } from '@app/database';
import { HandlerRegistry } from '@app/handlers';
import { Clock, Drain, Loop, Loops, Shutdown } from '@app/lifecycle';
import { Doorbell } from '@app/queue';
import { idText, Queues, TaskCanceller, TaskClaimer, TaskIds, TaskSettler, Workers } from '@app/tasks';
import { Logger } from '@app/telemetry';
import { Consumer } from './consumer.js';
import { Drawer } from './drawer.js';
import { Executor } from './executor.js';
import { Intake } from './intake.js';
import { Lease } from './lease.js';
import { Slots } from './slots.js';

/** Queues with a reader (and a connection) of their own; further ones are served from the database. */
const READERS_MAX = 32;
const REFRESH_MS = 1_000;
/** Served from the first moment by a worker of all queues; others are found when they are first used, within a second. */
const FIRST_QUEUES = ['default', 'system'];
/** Share of the budget in which running handlers may finish undisturbed. */
const UNDISTURBED_SHARE = 0.6;
const SETTLE_SHARE = 0.9;

@Injectable()
export class WorkerService implements OnApplicationBootstrap {
  private readonly consumers = new Map<string, Consumer>();
  private readonly lease: Lease;
  private readonly drawer: Drawer;
  private readonly refresh: Loop;
  private readonly cancels: Loop;
  private readonly named: readonly string[] | null;

  constructor(
    @Inject(Config) config: Config,
    @Inject(Database) database: Database,
    @Inject(Doorbell) private readonly doorbell: Doorbell,
    @Inject(HandlerRegistry) registry: HandlerRegistry,
    @Inject(Workers) workers: Workers,
    @Inject(Queues) private readonly queues: Queues,
    @Inject(TaskIds) ids: TaskIds,
    @Inject(TaskClaimer) claimer: TaskClaimer,
    @Inject(TaskSettler) private readonly settler: TaskSettler,
    @Inject(TaskCanceller) canceller: TaskCanceller,
    @Inject(Executor) private readonly executor: Executor,
    @Inject(Intake) private readonly intake: Intake,
    @Inject(Clock) clock: Clock,
    @Inject(Loops) private readonly loops: Loops,
    @Inject(Drain) private readonly drain: Drain,
    @Inject(Shutdown) private readonly shutdown: Shutdown,
    @Inject(Logger) private readonly logger: Logger,
  ) {
    this.named = config.workerQueues === '*' ? null : config.workerQueues;
    this.lease = new Lease(database, workers, ids, config, clock, loops, logger, () => registry.names(), {
      onGone: (state) => {
        executor.stopAll(state === 'lost' ? 'gone' : 'shutdown');
      },
    });
    intake.lease = this.lease;
    intake.slots = new Slots(config.workerConcurrency);
    this.drawer = new Drawer(claimer, intake, this.named, clock, loops, config.workerPollMs, logger);
    const loop = (name: string, intervalMs: number, tick: () => Promise<void>): Loop =>
      new Loop({
        name,
        intervalMs,
        tickMs: config.databaseStatementTimeoutMs,
        clock,
        tick,
        onError: (err, failures) => {
          if (failures === 1) logger.warn({ err, loop: name }, 'A loop failed; trying again.');
        },
      });
    this.refresh = loop('worker.refresh', REFRESH_MS, () => this.refreshQueues());
    this.cancels = loop('worker.cancels', config.workerCancelPollMs, async () => {
      if (executor.count === 0) return;
      for (const id of await canceller.requestedOf(this.lease.id)) executor.cancel(id);
    });
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.lease.start();
    await this.refreshQueues();
    this.drawer.start();
    this.loops.run(this.refresh);
    this.loops.run(this.cancels);
    this.executor.onWornOut = () => {
      this.logger.fatal({ closedSlots: this.executor.count }, 'Too many handlers ignore their abort; this worker asks to be replaced.');
      process.kill(process.pid, 'SIGTERM');
    };
    this.shutdown.on('drain', 'worker', () => this.takeNothingNew());
    this.shutdown.on('finish', 'worker', (budgetMs) => this.finish(budgetMs));
  }

  /** Reads pauses, and opens a reader for each queue that has none yet. */
  private async refreshQueues(): Promise<void> {
    await this.intake.refreshPauses();
    const names = this.named ?? new Set([...FIRST_QUEUES, ...(await this.queues.names())]);
    for (const name of names) {
      if (this.consumers.has(name) || this.consumers.size >= READERS_MAX || this.drain.draining) continue;
      const consumer = new Consumer(name, idText(this.lease.id), this.doorbell, this.intake, this.logger, () => {
        this.drawer.wake();
      });
      this.consumers.set(name, consumer);
      consumer.start();
    }
  }

  private async takeNothingNew(): Promise<void> {
    await Promise.all([
      this.loops.stop(this.refresh),
      this.drawer.stop(),
      ...[...this.consumers.values()].map((consumer) => consumer.stop()),
    ]);
    await this.lease.drain();
  }

  private async finish(budgetMs: number): Promise<void> {
    await this.executor.idle(AbortSignal.timeout(Math.round(budgetMs * UNDISTURBED_SHARE)));
    this.executor.stopAll('shutdown');
    await this.executor.idle(AbortSignal.timeout(Math.round(budgetMs * (SETTLE_SHARE - UNDISTURBED_SHARE))));
    this.settler.stop();
    await this.settler.drained();
    await this.loops.stop(this.cancels);
    await this.lease.stop();
    this.logger.info({ stillRunning: this.executor.count }, 'The worker has stopped.');
  }
}
