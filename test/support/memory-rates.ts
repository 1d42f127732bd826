/** Request rates kept in memory as the table keeps them: for a front without a database, and to count how often it is asked. */
import { RateStore, type Taken, type Want } from '@app/limits';
import type { Clock } from '@app/lifecycle';

const PLENTY = 4;

export class MemoryRates extends RateStore {
  /** Every group of wants, in order. */
  readonly groups: (readonly Want[])[] = [];
  /** Set to make it reject, or wait. */
  failure: unknown = null;
  held: Promise<void> | null = null;
  private readonly tats = new Map<string, number>();

  /** By the wall clock, as a database does it. */
  constructor(private readonly clock: Clock) {
    super();
  }

  get size(): number {
    return this.tats.size;
  }

  async take(wants: readonly Want[]): Promise<Taken[]> {
    this.groups.push(wants);
    await this.held;
    if (this.failure !== null) throw this.failure;
    return wants.map((want) => this.one(want));
  }

  async prune(): Promise<{ deleted: number; cursor: Buffer | null }> {
    const past = [...this.tats].filter(([, tat]) => tat < this.clock.now() * 1_000);
    for (const [key] of past) this.tats.delete(key);
    return { deleted: past.length, cursor: null };
  }

  private one({ scope, wantUs, needUs, unitUs, spanUs }: Want): Taken {
    const now = this.clock.now() * 1_000;
    const tat = Math.min(Math.max(this.tats.get(scope.key) ?? 0, now), now + spanUs);
    const left = now + spanUs - tat;
    const takenUs = left >= PLENTY * wantUs ? wantUs : left >= needUs ? needUs : left - (left % unitUs);
    this.tats.set(scope.key, tat + takenUs);
    return { takenUs, spareUs: left - takenUs };
  }
}
