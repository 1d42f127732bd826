/** Counts again what tenants use, a tenant per tick, and tells where it had to be corrected. */
import { Inject, Injectable } from '@nestjs/common';
import { UsageRecounter } from '@app/tasks';
import { LoopParts, SchedulerLoop } from './scheduler-loop.js';

/** How often a tenant is looked for whose count is old, in ms. */
const LOOK_MS = 2_000;
/** Every how many ticks that found none tenants are looked for that have no row at all. */
const ADOPT_EVERY = 30;

@Injectable()
export class Recount extends SchedulerLoop {
  protected readonly name = 'recount';
  protected readonly intervalMs = LOOK_MS;
  private idle = 0;

  constructor(
    @Inject(LoopParts) parts: LoopParts,
    @Inject(UsageRecounter) private readonly recounter: UsageRecounter,
  ) {
    super(parts);
  }

  protected async tick(): Promise<{ again: boolean }> {
    const { taken, correction } = await this.recounter.step();
    if (correction !== null)
      this.parts.logger.warn({ ...correction }, 'What a tenant uses of its quotas was counted wrong, and is corrected.');
    if (taken > 0) return { again: true };
    if (this.idle % ADOPT_EVERY === 0) await this.recounter.adopt();
    this.idle += 1;
    return { again: false };
  }
}
