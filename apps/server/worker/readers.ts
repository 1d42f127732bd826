/**
 * Keeps a reader on every queue that this worker serves, and the pauses up to date. Queues are found when they are first used;
 * beyond a bound a queue gets no reader (each holds a connection) and is served from the database.
 */
import { Inject, Injectable } from '@nestjs/common';
import { Config } from '@app/config';
import { Clock, Loop, Loops } from '@app/lifecycle';
import { Doorbell } from '@app/queue';
import { idText, Queues } from '@app/tasks';
import { Logger } from '@app/telemetry';
import { Consumer } from './consumer.js';
import { Drawer } from './drawer.js';
import { Intake } from './intake.js';
import { Lease } from './lease.js';

const READERS_MAX = 32;
const REFRESH_MS = 1_000;
/** Served from the first moment by a worker of all queues; others are found when they are first used, within a second. */
const FIRST_QUEUES = ['default', 'system'];

@Injectable()
export class Readers {
  private readonly consumers = new Map<string, Consumer>();
  private readonly refreshing: Loop;

  constructor(
    @Inject(Config) private readonly config: Config,
    @Inject(Doorbell) private readonly doorbell: Doorbell,
    @Inject(Queues) private readonly queues: Queues,
    @Inject(Lease) private readonly lease: Lease,
    @Inject(Intake) private readonly intake: Intake,
    @Inject(Drawer) private readonly drawer: Drawer,
    @Inject(Loops) private readonly loops: Loops,
    @Inject(Clock) clock: Clock,
    @Inject(Logger) private readonly logger: Logger,
  ) {
    this.refreshing = new Loop({
      name: 'worker.readers',
      intervalMs: REFRESH_MS,
      tickMs: config.databaseStatementTimeoutMs,
      clock,
      tick: () => this.refresh(),
      onError: (err, failures) => {
        if (failures === 1) logger.warn({ err }, 'Reading the queues and pauses failed; trying again.');
      },
    });
  }

  async start(): Promise<void> {
    await this.refresh();
    this.loops.run(this.refreshing);
  }

  /** Reads nothing more; resolves when what was read is claimed. */
  async stop(): Promise<void> {
    await this.loops.stop(this.refreshing);
    await Promise.all([...this.consumers.values()].map((consumer) => consumer.stop()));
  }

  private async refresh(): Promise<void> {
    await this.intake.refreshPauses();
    const { workerQueues } = this.config;
    const names = workerQueues === '*' ? new Set([...FIRST_QUEUES, ...(await this.queues.names())]) : workerQueues;
    for (const name of names) {
      if (this.consumers.has(name) || this.consumers.size >= READERS_MAX) continue;
      const consumer = new Consumer(name, idText(this.lease.id), this.doorbell, this.intake, this.logger, () => {
        this.drawer.wake();
      });
      this.consumers.set(name, consumer);
      consumer.start();
    }
  }
}
