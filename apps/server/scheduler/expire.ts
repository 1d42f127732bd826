/** Ends tasks whose time is over: expiry, deadline, and the grace period of a name that no live worker knows. */
import { Inject, Injectable } from '@nestjs/common';
import { TaskExpirer } from '@app/tasks';
import { LoopParts, SchedulerLoop } from './scheduler-loop.js';

const KINDS = ['expire', 'deadline', 'unhandled'] as const;

@Injectable()
export class Expire extends SchedulerLoop {
  protected readonly name = 'expire';
  protected readonly intervalMs: number;

  constructor(
    @Inject(LoopParts) parts: LoopParts,
    @Inject(TaskExpirer) private readonly expirer: TaskExpirer,
  ) {
    super(parts);
    this.intervalMs = parts.config.schedulerExpireMs;
  }

  protected async tick(): Promise<{ again: boolean }> {
    let again = false;
    for (const kind of KINDS) again = (await this.expirer.expire(kind)).full || again;
    return { again };
  }
}
