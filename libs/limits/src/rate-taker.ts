/**
 * Asks the store for everybody. One statement group is under way at a time; the next takes what was wanted meanwhile, so that a
 * thousand busy tenants cost a handful of commits and not a thousand. While the database is away nobody waits for it: for a second
 * after a failure callers are told so at once, and decide by what this process knows.
 */
import { Unavailable } from '@app/errors';
import type { Clock } from '@app/lifecycle';
import type { RateStore, Taken, Want } from './rate-store.js';

const GROUP_MAX = 100;
const WAITING_MAX = 2_000;
const AWAY_MS = 1_000;

interface Pending {
  readonly want: Want;
  resolve(taken: Taken): void;
  reject(error: unknown): void;
}

export class RateTaker {
  private waiting: Pending[] = [];
  private turning: Promise<void> | null = null;
  private awayUntil = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly store: RateStore,
    private readonly clock: Clock,
    /** Told when the store begins to fail, and again when it still does a while later. */
    private readonly onError: (error: unknown) => void,
  ) {}

  /** Whether the store failed, or was too slow, a moment ago. */
  isAway(): boolean {
    return this.clock.monotonic() < this.awayUntil;
  }

  /** Somebody waited for an answer as long as he could. */
  giveUp(error: unknown): void {
    const isKnown = this.isAway();
    this.awayUntil = this.clock.monotonic() + AWAY_MS;
    if (!isKnown) this.onError(error);
  }

  /** @throws Unavailable where the store does not answer, or too many wait for it */
  take(want: Want): Promise<Taken> {
    if (this.waiting.length >= WAITING_MAX) return Promise.reject(new Unavailable('Too many requests wait for their limits to be read.'));
    return new Promise((resolve, reject) => {
      this.waiting.push({ want, resolve, reject });
      this.turning ??= this.turn();
    });
  }

  /** Resolves when nothing is under way. */
  async drained(): Promise<void> {
    await this.turning;
  }

  private async turn(): Promise<void> {
    // One macrotask of patience: the questions of one request, and of what came with it, share a group.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.waiting.length > 0) {
      const group = this.nextGroup();
      try {
        const taken = await this.store.take(group.map(({ want }) => want));
        group.forEach(({ resolve, reject }, index) => {
          const own = taken[index];
          if (own === undefined) reject(new Unavailable('The limits could not be read.'));
          else resolve(own);
        });
      } catch (error) {
        this.giveUp(error);
        for (const { reject } of group) reject(error);
      }
    }
    this.turning = null;
  }

  /** Every scope once: a row tells only what the last statement took from it. */
  private nextGroup(): Pending[] {
    const group = new Map<string, Pending>();
    const later: Pending[] = [];
    for (const pending of this.waiting) {
      const { key } = pending.want.scope;
      if (group.size < GROUP_MAX && !group.has(key)) group.set(key, pending);
      else later.push(pending);
    }
    this.waiting = later;
    return [...group.values()];
  }
}
