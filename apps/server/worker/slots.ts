/**
 * The worker's capacity: one slot per task that may run at once. Readers of several queues and the backlog share them and are
 * served in the order they asked, so that a busy queue cannot keep the others waiting for ever. One waiter is woken per free slot,
 * or all would read at once for a single place; but a waiter may find nothing to put there, so while a slot stays free the next
 * ones are woken after a moment.
 */
import { Inject, Injectable } from '@nestjs/common';
import { Config } from '@app/config';

const NEXT_MS = 10;

@Injectable()
export class Slots {
  readonly size: number;
  private taken = 0;
  private waiting: (() => void)[] = [];
  private waking: NodeJS.Timeout | null = null;

  constructor(@Inject(Config) config: Config) {
    this.size = config.workerConcurrency;
  }

  get free(): number {
    return this.size - this.taken;
  }

  get busy(): number {
    return this.taken;
  }

  /** Takes up to `wanted` slots; returns how many, perhaps none. */
  reserve(wanted: number): number {
    const got = Math.max(0, Math.min(wanted, this.free));
    this.taken += got;
    return got;
  }

  release(count: number): void {
    this.taken -= count;
    this.wake();
  }

  /** Resolves when a slot is free (it may be gone again by then) or the signal fires. */
  async whenFree(signal: AbortSignal): Promise<void> {
    if (this.free > 0 || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        signal.removeEventListener('abort', end);
        this.waiting = this.waiting.filter((other) => other !== end);
        resolve();
      };
      this.waiting.push(end);
      signal.addEventListener('abort', end, { once: true });
    });
  }

  private wake(): void {
    for (const wake of this.waiting.splice(0, this.free)) wake();
    if (this.waking !== null || this.waiting.length === 0 || this.free <= 0) return;
    this.waking = setTimeout(() => {
      this.waking = null;
      this.wake();
    }, NEXT_MS).unref();
  }
}
