/** Declares workers lost whose heartbeat stands still, clears the notes of claims, and takes back what lost workers were running. */
import { Inject, Injectable } from '@nestjs/common';
import { ClaimNotes, sweepEveryMs, TaskSweeper } from '@app/tasks';
import { LoopParts, SchedulerLoop } from './scheduler-loop.js';

/** Every how many looks running tasks are compared with the register although nobody was found lost. */
const LOOK_ANYWAY_EVERY = 3;

@Injectable()
export class Sweep extends SchedulerLoop {
  protected readonly name = 'sweep';
  protected readonly intervalMs: number;
  private looks = 0;
  private goOn = false;

  constructor(
    @Inject(LoopParts) parts: LoopParts,
    @Inject(TaskSweeper) private readonly sweeper: TaskSweeper,
    @Inject(ClaimNotes) private readonly notes: ClaimNotes,
  ) {
    super(parts);
    this.intervalMs = sweepEveryMs(parts.config);
  }

  protected async tick(): Promise<{ again: boolean }> {
    const lost = await this.sweeper.markLost();
    for (const workerId of lost) this.parts.logger.warn({ workerId }, 'A worker is lost; its tasks are taken back.');
    // What others have marked, and could not take back, is found every few looks; each look reads all that runs.
    this.looks += 1;
    if (lost.length === 0 && !this.goOn && this.looks % LOOK_ANYWAY_EVERY !== 0) {
      const { full } = await this.notes.clear();
      return { again: full };
    }
    const { taken, full } = await this.sweeper.takeBack();
    this.goOn = full;
    if (taken > 0) this.parts.logger.warn({ tasks: taken }, 'Tasks of lost workers were taken back.');
    return { again: full };
  }
}
