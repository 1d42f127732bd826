/**
 * What this process believes about how many tasks are outstanding at the door, per lane and tenant. A belief comes from the
 * reply to the last ring and is raised by what was let in since. Only a reply lowers it: forgetting by time would let a whole
 * window through again and again where nobody reads.
 *
 * Behind a window that is believed full one task is let through every few milliseconds all the same: its ring brings the true
 * count back, and wakes a worker that has emptied the door and would otherwise find the backlog only when it next looks. Where
 * the door holds twice a window it is only asked, ten times a second, and nothing more is let in: until the answer is here tasks go to the
 * backlog, where nothing wakes a worker that has nothing to do.
 */
import type { Clock } from '@app/lifecycle';

const PROBE_MS = 25;
const ASK_MS = 100;
const BELIEFS_MAX = 10_000;

interface Belief {
  tasks: number;
  probedAt: number;
}

/** Fetches the true count and calls `learn`; must not throw. */
export type Ask = (lane: string, tenant: string) => void;

export class Windows {
  private readonly beliefs = new Map<string, Belief>();

  constructor(
    private readonly size: number,
    private readonly clock: Clock,
    private readonly ask: Ask,
  ) {}

  admits(lane: string, tenant: string, tasks: number): boolean {
    const key = `${lane} ${tenant}`;
    const known = this.beliefs.get(key);
    if (known === undefined) {
      this.learn(lane, tenant, tasks);
      return true;
    }
    if (known.tasks + tasks <= this.size) {
      known.tasks += tasks;
      return true;
    }
    return this.probes(known, lane, tenant);
  }

  learn(lane: string, tenant: string, tasks: number): void {
    const key = `${lane} ${tenant}`;
    const probedAt = this.beliefs.get(key)?.probedAt ?? this.clock.monotonic();
    this.beliefs.delete(key);
    this.beliefs.set(key, { tasks: Math.max(0, tasks), probedAt });
    if (this.beliefs.size <= BELIEFS_MAX) return;
    const oldest = this.beliefs.keys().next();
    if (oldest.done !== true) this.beliefs.delete(oldest.value);
  }

  /** A ring failed: whatever was counted for it is not there. */
  forget(lane: string, tenant: string): void {
    this.beliefs.delete(`${lane} ${tenant}`);
  }

  private probes(known: Belief, lane: string, tenant: string): boolean {
    const crowded = known.tasks >= this.size * 2;
    const now = this.clock.monotonic();
    if (now - known.probedAt < (crowded ? ASK_MS : PROBE_MS)) return false;
    known.probedAt = now;
    if (crowded) this.ask(lane, tenant);
    else known.tasks += 1;
    return !crowded;
  }
}
