/** Carries operations over many tasks on, a page per tick, whoever started them. */
import { Inject, Injectable } from '@nestjs/common';
import { BulkRunner } from '@app/tasks';
import { LoopParts, SchedulerLoop } from './scheduler-loop.js';

@Injectable()
export class Bulk extends SchedulerLoop {
  protected readonly name = 'bulk';
  protected readonly intervalMs: number;

  constructor(
    @Inject(LoopParts) parts: LoopParts,
    @Inject(BulkRunner) private readonly runner: BulkRunner,
  ) {
    super(parts);
    this.intervalMs = parts.config.schedulerBulkMs;
  }

  protected async tick(): Promise<{ again: boolean }> {
    const { taken, ended } = await this.runner.step();
    if (ended !== null) this.parts.logger.info({ bulk: ended }, 'A bulk operation is finished.');
    return { again: taken > 0 };
  }
}
