/** Declares workers lost whose heartbeat stands still, and takes back what lost workers were running. */
import { Inject, Injectable } from '@nestjs/common';
import { TaskSweeper } from '@app/tasks';
import { LoopParts, SchedulerLoop } from './scheduler-loop.js';

@Injectable()
export class Sweep extends SchedulerLoop {
  protected readonly name = 'sweep';
  protected readonly intervalMs: number;

  constructor(
    @Inject(LoopParts) parts: LoopParts,
    @Inject(TaskSweeper) private readonly sweeper: TaskSweeper,
  ) {
    super(parts);
    // A lease must be watched several times before it can end.
    this.intervalMs = Math.min(parts.config.schedulerSweepMs, parts.config.workerLeaseMs / 3);
  }

  protected async tick(): Promise<{ again: boolean }> {
    for (const workerId of await this.sweeper.markLost()) {
      this.parts.logger.warn({ workerId }, 'A worker is lost; its tasks are taken back.');
    }
    const { taken, full } = await this.sweeper.takeBack();
    if (taken > 0) this.parts.logger.warn({ tasks: taken }, 'Tasks of lost workers were taken back.');
    return { again: full };
  }
}
