/**
 * In which order the queues without a reader of their own are looked at. There may be thousands, of which nearly all are empty: those in which
 * the database knows of something come first, and a part of each round goes to the others in turn, because the database is asked only
 * every second.
 *
 * Pure: the same calls give the same answers.
 */

const ROUND = 50;
/** Of a round, for queues in which there is something. */
const BUSY_PER_ROUND = 40;
const QUEUES_MAX = 20_000;

export class PolledQueues<T> {
  /** By name, those first whose turn is longest ago. */
  private readonly members = new Map<string, T>();
  private busy: readonly string[] = [];
  private busyTurn = 0;

  constructor(
    private readonly round = ROUND,
    private readonly busyPerRound = BUSY_PER_ROUND,
    private readonly queuesMax = QUEUES_MAX,
  ) {}

  /** Whether one round does not reach all, so that it matters in which there is something. */
  get isCrowded(): boolean {
    return this.members.size > this.round;
  }

  has(name: string): boolean {
    return this.members.has(name);
  }

  /** Returns whoever had to make room: the one whose turn would be last, of those that are not busy. Null where nobody had to. */
  add(name: string, member: T): T | null {
    const dropped = this.members.size < this.queuesMax ? null : this.drop();
    this.members.set(name, member);
    return dropped;
  }

  /** In which of them the database knows of something. */
  setBusy(names: readonly string[]): void {
    this.busy = names.filter((name) => this.members.has(name));
  }

  /** Who is looked at in this round, each once. */
  next(): T[] {
    const picked = new Map<string, T>();
    for (let step = 0; step < Math.min(this.busy.length, this.busyPerRound); step += 1) {
      const name = this.busy[this.busyTurn++ % this.busy.length] ?? '';
      const member = this.members.get(name);
      if (member !== undefined) picked.set(name, member);
    }
    let left = this.members.size;
    // Whoever has its turn goes to the end, where this loop would come to it once more.
    for (const [name, member] of this.members) {
      if (picked.size >= this.round || left === 0) break;
      left -= 1;
      this.members.delete(name);
      this.members.set(name, member);
      picked.set(name, member);
    }
    return [...picked.values()];
  }

  values(): T[] {
    return [...this.members.values()];
  }

  private drop(): T | null {
    const names = [...this.members.keys()].reverse();
    const name = names.find((one) => !this.busy.includes(one)) ?? names[0] ?? '';
    const member = this.members.get(name) ?? null;
    this.members.delete(name);
    return member;
  }
}
