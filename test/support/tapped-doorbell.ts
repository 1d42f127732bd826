/** A real doorbell that remembers what was rung, and that can be away. */
import { Doorbell, type Condition, type DoorbellReader, type Lane, type Position, type Ring } from '@app/queue';

export class TappedDoorbell extends Doorbell {
  rings: Ring[] = [];
  away = false;
  /** What to answer instead of asking, where a test needs a window that is open or shut. */
  window: 'as it is' | 'open' | 'shut' = 'as it is';
  /** What to answer instead of asking. */
  standing: Position | null | undefined = undefined;
  /** How often it was asked where a lane stands. */
  asked = 0;
  /** The queues that were tidied. */
  tidied: string[] = [];

  private readonly ringing = new Set<Promise<void>>();

  constructor(readonly real: Doorbell) {
    super();
  }

  /** Ids in the order they were rung, as hex. */
  get rung(): string[] {
    return this.rings.flatMap(({ ids }) => ids.map((id) => id.toString('hex')));
  }

  reset(): void {
    this.rings = [];
    this.away = false;
    this.window = 'as it is';
    this.standing = undefined;
    this.asked = 0;
    this.tidied = [];
  }

  admits(tenant: string, queue: string, lane: Lane, tasks: number): boolean {
    if (this.window !== 'as it is') return this.window === 'open';
    return !this.away && this.real.admits(tenant, queue, lane, tasks);
  }

  async ring(rings: readonly Ring[]): Promise<void> {
    if (this.away) throw new Error('the doorbell is away');
    const ringing = this.real.ring(rings);
    this.ringing.add(ringing);
    try {
      await ringing;
      this.rings.push(...rings);
    } finally {
      this.ringing.delete(ringing);
    }
  }

  /** Forgets what was rung, and what is being rung at this moment: a submission does not wait for its ring. */
  async forget(): Promise<void> {
    while (this.ringing.size > 0) {
      await Promise.allSettled([...this.ringing]);
      await Promise.resolve();
    }
    this.rings = [];
  }

  open(queue: string, consumer: string): DoorbellReader {
    return this.real.open(queue, consumer);
  }

  async position(queue: string, lane: Lane): Promise<Position | null> {
    this.asked += 1;
    if (this.away) return null;
    return this.standing === undefined ? this.real.position(queue, lane) : this.standing;
  }

  tidy(queue: string, idleMs: number): Promise<void> {
    this.tidied.push(queue);
    return this.real.tidy(queue, idleMs);
  }

  answers(): Promise<boolean> {
    return this.real.answers();
  }

  condition(): Promise<Condition> {
    return this.real.condition();
  }

  close(): Promise<void> {
    return this.real.close();
  }
}
