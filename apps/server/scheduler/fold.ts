/** Takes off the usage of tenants what their ended tasks have given back. */
import { Inject, Injectable } from '@nestjs/common';
import { TenantUsage } from '@app/limits';
import { LoopParts, SchedulerLoop } from './scheduler-loop.js';

@Injectable()
export class Fold extends SchedulerLoop {
  protected readonly name = 'fold';
  protected readonly intervalMs: number;

  constructor(
    @Inject(LoopParts) parts: LoopParts,
    @Inject(TenantUsage) private readonly usage: TenantUsage,
  ) {
    super(parts);
    this.intervalMs = parts.config.schedulerFoldMs;
  }

  protected async tick(): Promise<{ again: boolean }> {
    return { again: (await this.usage.fold()).full };
  }
}
