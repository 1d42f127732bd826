/** Asks the register of cancel requests, every second while something runs, and passes them on to the handlers. */
import { Inject, Injectable } from '@nestjs/common';
import { Config } from '@app/config';
import { Clock, Loop, Loops } from '@app/lifecycle';
import { TaskCanceller } from '@app/tasks';
import { Logger } from '@app/telemetry';
import { Executor } from './executor.js';
import { Lease } from './lease.js';

@Injectable()
export class Cancels {
  private readonly loop: Loop;

  constructor(
    @Inject(Config) config: Config,
    @Inject(TaskCanceller) canceller: TaskCanceller,
    @Inject(Lease) lease: Lease,
    @Inject(Executor) executor: Executor,
    @Inject(Loops) private readonly loops: Loops,
    @Inject(Clock) clock: Clock,
    @Inject(Logger) logger: Logger,
  ) {
    this.loop = new Loop({
      name: 'worker.cancels',
      intervalMs: config.workerCancelPollMs,
      tickMs: config.databaseStatementTimeoutMs,
      clock,
      tick: async () => {
        if (executor.count === 0) return;
        for (const id of await canceller.requestedOf(lease.id)) executor.cancel(id);
      },
      onError: (err, failures) => {
        if (failures === 1) logger.warn({ err }, 'Reading the cancel requests failed; trying again.');
      },
    });
  }

  start(): void {
    this.loops.run(this.loop);
  }

  async stop(): Promise<void> {
    await this.loops.stop(this.loop);
  }
}
