/**
 * Where a task runs that was there too often when a worker died: by itself. One suspect at a time; while it waits or runs, the
 * worker takes nothing new, starts nothing else, and gives back what it has claimed besides. What runs already gets a moment to finish. If it does, the suspect is
 * alone, its worker's row says so, and a crash is then its own beyond doubt, and nobody else's. If it does not, the suspect runs
 * in company, where a crash proves little and counts only towards a higher limit. Hooks for abandoned resources run beside the
 * tasks and end a process as well as they do, so they are company too.
 */
import { Injectable } from '@nestjs/common';
import { Turns } from '@app/lifecycle';

/** How many suspects may be here, one of them running; further ones are given back: who waits here hears neither cancel nor deadline. */
const WAITING_MAX = 1;

@Injectable()
export class Suspects {
  private inside = 0;
  private hooksInside = 0;
  private readonly turns = new Turns();

  /** Whether a suspect waits or runs, so that nothing else may start. */
  get closed(): boolean {
    return this.inside > 0;
  }

  /** Hooks under way. */
  get hooks(): number {
    return this.hooksInside;
  }

  /** Counts a hook from now on; the answer says that it is over. Nobody may begin one while it is `closed`. */
  enterHook(): () => void {
    this.hooksInside += 1;
    return () => {
      this.hooksInside -= 1;
    };
  }

  get full(): boolean {
    return this.inside >= WAITING_MAX;
  }

  /** Runs `work` when every suspect before it is done. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    this.inside += 1;
    try {
      return await this.turns.take(work);
    } finally {
      this.inside -= 1;
    }
  }
}
