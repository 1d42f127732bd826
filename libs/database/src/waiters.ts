/**
 * Who waits for a connection, and for how long the first of them has. How many wait says little by itself: fifty behind quick statements
 * are served in a moment, and one behind a pool that is held has no end in sight.
 */
import type { Clock } from '@app/lifecycle';

export class Waiters {
  /** In the order in which they came. */
  private readonly since = new Set<{ readonly at: number }>();

  constructor(private readonly clock: Clock) {}

  get count(): number {
    return this.since.size;
  }

  /** For how long the one has waited that has waited longest, in ms; 0 where nobody waits. */
  get longestMs(): number {
    for (const { at } of this.since) return this.clock.monotonic() - at;
    return 0;
  }

  /** One more. What is returned ends his waiting, and may be called again. */
  begin(): () => void {
    const waiter = { at: this.clock.monotonic() };
    this.since.add(waiter);
    return () => {
      this.since.delete(waiter);
    };
  }
}
