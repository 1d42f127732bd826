/** Deletes revocations of tokens that have all ended by now, a page per tick. */
import { Inject, Injectable } from '@nestjs/common';
import { pruneRevocations } from '@app/auth';
import { Database } from '@app/database';
import { LoopParts, SchedulerLoop } from './scheduler-loop.js';

@Injectable()
export class PruneRevocations extends SchedulerLoop {
  protected readonly name = 'prune-revocations';
  protected readonly intervalMs: number;

  constructor(
    @Inject(LoopParts) parts: LoopParts,
    @Inject(Database) private readonly database: Database,
  ) {
    super(parts);
    this.intervalMs = parts.config.schedulerPruneMs;
  }

  protected async tick(): Promise<{ again: boolean }> {
    const { again } = await pruneRevocations(this.database);
    return { again };
  }
}
