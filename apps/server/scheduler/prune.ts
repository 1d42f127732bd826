/** Deletes history that is older than its retention, a small page per tick. */
import { Inject, Injectable } from '@nestjs/common';
import { HistoryPruner } from '@app/tasks';
import { LoopParts, SchedulerLoop } from './scheduler-loop.js';

@Injectable()
export class Prune extends SchedulerLoop {
  protected readonly name = 'prune';
  protected readonly intervalMs: number;

  constructor(
    @Inject(LoopParts) parts: LoopParts,
    @Inject(HistoryPruner) private readonly pruner: HistoryPruner,
  ) {
    super(parts);
    this.intervalMs = parts.config.schedulerPruneMs;
  }

  protected async tick(): Promise<{ again: boolean }> {
    const { deleted, again } = await this.pruner.prune();
    if (deleted > 0) this.parts.logger.info({ deleted }, 'History past its retention was deleted.');
    return { again };
  }
}
