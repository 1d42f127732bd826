/**
 * What this process believes about how many tasks are outstanding at the door, per lane and tenant. A belief comes from the
 * reply to the last ring, is raised by what was let in since, and is forgotten after a second, so that a window that others
 * have emptied (or a flush has) opens again. Behind a window that is believed full one task is let through every few
 * milliseconds all the same: its ring brings the true count back, and wakes a worker that has emptied the door and would
 * otherwise find the backlog only when it next looks.
 */
import type { Clock } from '@app/lifecycle';

const BELIEF_MS = 1_000;
const PROBE_MS = 25;
const BELIEFS_MAX = 10_000;

export class Windows {
  private readonly beliefs = new Map<string, { tasks: number; at: number; probedAt: number }>();

  constructor(
    private readonly size: number,
    private readonly clock: Clock,
  ) {}

  admits(lane: string, tenant: string, tasks: number): boolean {
    const key = `${lane} ${tenant}`;
    const known = this.beliefs.get(key);
    const now = this.clock.monotonic();
    if (known === undefined || now - known.at > BELIEF_MS) {
      this.remember(key, tasks, now);
      return true;
    }
    if (known.tasks + tasks > this.size) {
      if (now - known.probedAt < PROBE_MS) return false;
      known.probedAt = now;
      return true;
    }
    known.tasks += tasks;
    return true;
  }

  learn(lane: string, tenant: string, tasks: number): void {
    this.remember(`${lane} ${tenant}`, Math.max(0, tasks), this.clock.monotonic());
  }

  private remember(key: string, tasks: number, at: number): void {
    this.beliefs.delete(key);
    this.beliefs.set(key, { tasks, at, probedAt: at });
    if (this.beliefs.size <= BELIEFS_MAX) return;
    const oldest = this.beliefs.keys().next();
    if (oldest.done !== true) this.beliefs.delete(oldest.value);
  }
}
