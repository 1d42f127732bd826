/** Puts due tasks into the queue. A full page is followed by the next at once. */
import { Inject, Injectable } from '@nestjs/common';
import { TaskPromoter } from '@app/tasks';
import { LoopParts, SchedulerLoop } from './scheduler-loop.js';

@Injectable()
export class Promote extends SchedulerLoop {
  protected readonly name = 'promote';
  protected readonly intervalMs: number;

  constructor(
    @Inject(LoopParts) parts: LoopParts,
    @Inject(TaskPromoter) private readonly promoter: TaskPromoter,
  ) {
    super(parts);
    this.intervalMs = parts.config.schedulerPromoteMs;
  }

  protected async tick(): Promise<{ again: boolean }> {
    const { full } = await this.promoter.promote();
    return { again: full };
  }
}
