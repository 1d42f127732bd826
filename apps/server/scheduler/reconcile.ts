/** Offers tasks again whose doorbell message is lost, and clears the door of messages and readers that nobody will finish. */
import { Inject, Injectable } from '@nestjs/common';
import { TaskReconciler } from '@app/tasks';
import { LoopParts, SchedulerLoop } from './scheduler-loop.js';

/** How many looks go by between two tidyings of the door. */
const TIDY_EVERY = 6;

@Injectable()
export class Reconcile extends SchedulerLoop {
  protected readonly name = 'reconcile';
  protected readonly intervalMs: number;
  private looks = 0;

  constructor(
    @Inject(LoopParts) parts: LoopParts,
    @Inject(TaskReconciler) private readonly reconciler: TaskReconciler,
  ) {
    super(parts);
    this.intervalMs = parts.config.schedulerReconcileMs;
  }

  protected async tick(signal: AbortSignal): Promise<{ again: boolean }> {
    const { logger, config } = this.parts;
    const lost = await this.reconciler.reconcile(signal);
    // Ordinary where workers ring again what they have no room for; worth a line, not an alarm.
    if (lost > 0) logger.info({ tasks: lost }, 'Tasks whose doorbell message is lost or late are offered from the database.');
    this.looks += 1;
    if (this.looks % TIDY_EVERY === 0) {
      await this.reconciler.tidy(config.workerLeaseMs + config.reconcileGraceMs, signal).catch((err: unknown) => {
        logger.debug({ err }, 'The doorbell could not be tidied.');
      });
    }
    return { again: false };
  }
}
