/**
 * Who turns in this process. The liveness probe asks here, so a role that starts a loop registers it, and one that forgot
 * to would be the only loop nobody notices stopping.
 */
import type { Loop, LoopReport } from './loop.js';

export class Loops {
  private readonly known = new Set<Loop>();

  /** Registers and starts. */
  run(loop: Loop): Loop {
    this.known.add(loop);
    loop.start();
    return loop;
  }

  /** Stops and forgets. */
  async stop(loop: Loop): Promise<void> {
    this.known.delete(loop);
    await loop.stop();
  }

  reports(): LoopReport[] {
    return [...this.known].map((loop) => loop.report());
  }
}
