/**
 * For which tenants somebody else was claiming when this worker wanted to. Claims within a limit take turns over all workers, and a
 * worker that stands still may keep its turn for seconds; waiting for it would keep every other tenant of this worker waiting as well.
 * So the tenant is passed over for a moment instead, and looked at again. The moment grows while the turn is not to be had.
 */
import { Injectable } from '@nestjs/common';

/** A turn takes two round trips, so the first pause is about that. */
const PAUSE_MS_MIN = 20;
const PAUSE_MS_MAX = 1_000;
/** Tenants that are remembered; beyond them a pause begins small again. */
const TENANTS_MAX = 10_000;

@Injectable()
export class BusyTurns {
  /** Tenant → its pause, which is running. */
  private readonly pauses = new Map<string, NodeJS.Timeout>();
  /** Tenant → how long its last pause was, in ms, while none of its claims had the turn. */
  private readonly lasted = new Map<string, number>();

  /** Whether the tenant is passed over just now. */
  has(tenant: string): boolean {
    return this.pauses.has(tenant);
  }

  /** Somebody else had the tenant's turn. `onOver` is called when asking again is worth it, once for each pause. */
  found(tenant: string, onOver: () => void): void {
    if (this.pauses.has(tenant)) return;
    const pauseMs = Math.min(PAUSE_MS_MAX, (this.lasted.get(tenant) ?? PAUSE_MS_MIN / 2) * 2);
    if (this.lasted.size >= TENANTS_MAX) this.lasted.clear();
    this.lasted.set(tenant, pauseMs);
    const over = (): void => {
      this.pauses.delete(tenant);
      onOver();
    };
    this.pauses.set(tenant, setTimeout(over, pauseMs).unref());
  }

  /** A claim of the tenant had the turn. */
  had(tenant: string): void {
    this.lasted.delete(tenant);
  }
}
