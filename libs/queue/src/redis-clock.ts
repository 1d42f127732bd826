/**
 * What time it is at the server, from a measured difference between its clock and ours, so that asking costs nothing. A server's
 * clock may be set, and behind the same address there may be another server, so the difference is measured again now and then and
 * whenever a connection is new. Whoever asks is told "unknown" rather than made to wait.
 */
import type { Clock } from '@app/lifecycle';

/** How long a measured difference serves, and how soon after a failure the next try may follow, in ms. */
const RENEW_MS = 30_000;
const RETRY_MS = 1_000;

export class RedisClock {
  private difference: number | null = null;
  private dueAt = Number.NEGATIVE_INFINITY;
  private round = 0;

  constructor(
    private readonly clock: Clock,
    /** The server's time, in ms since the epoch. */
    private readonly ask: () => Promise<number>,
  ) {}

  /** In ms since the epoch; null where nobody has answered yet. */
  now(): number | null {
    const monotonic = this.clock.monotonic();
    if (monotonic >= this.dueAt) void this.measure(monotonic);
    return this.difference === null ? null : monotonic + this.difference;
  }

  /** Another server may answer from now on. */
  forget(): void {
    this.difference = null;
    this.dueAt = Number.NEGATIVE_INFINITY;
    this.round += 1;
  }

  private async measure(askedAt: number): Promise<void> {
    const { round } = this;
    this.dueAt = askedAt + RETRY_MS;
    try {
      const told = await this.ask();
      if (round !== this.round) return;
      // The answer was made somewhere between the question and now.
      this.difference = told - (askedAt + this.clock.monotonic()) / 2;
      this.dueAt = askedAt + RENEW_MS;
    } catch {
      // The old difference serves until the server answers again.
    }
  }
}
