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
  private readonly members = new Map<string, T>();
  private names: string[] = [];
  private busy: readonly string[] = [];
  private turn = 0;
  private busyTurn = 0;

  constructor(
    private readonly round = ROUND,
    private readonly busyPerRound = BUSY_PER_ROUND,
    private readonly queuesMax = QUEUES_MAX,
  ) {}

  has(name: string): boolean {
    return this.members.has(name);
  }

  /** Returns whoever had to make room: the one whose turn would be last, of those that are not busy. Null where nobody had to. */
  add(name: string, member: T): T | null {
    const dropped = this.names.length < this.queuesMax ? null : this.drop();
    this.members.set(name, member);
    this.names.push(name);
    return dropped;
  }

  /** In which of them the database knows of something. */
  setBusy(names: readonly string[]): void {
    this.busy = names.filter((name) => this.members.has(name));
  }

  /** Who is looked at in this round, each once. */
  next(): T[] {
    const picked = new Set<string>();
    for (let step = 0; step < Math.min(this.busy.length, this.busyPerRound); step += 1) picked.add(at(this.busy, this.busyTurn++));
    const size = Math.min(this.round, this.names.length);
    for (let step = 0; step < this.names.length && picked.size < size; step += 1) picked.add(at(this.names, this.turn++));
    return [...picked].flatMap((name) => this.members.get(name) ?? []);
  }

  values(): T[] {
    return [...this.members.values()];
  }

  private drop(): T | null {
    const last = (this.turn + this.names.length - 1) % this.names.length;
    const order = [...this.names.slice(last), ...this.names.slice(0, last)];
    const name = order.find((one) => !this.busy.includes(one)) ?? at(order, 0);
    const member = this.members.get(name) ?? null;
    this.members.delete(name);
    this.names = this.names.filter((one) => one !== name);
    return member;
  }
}

function at(names: readonly string[], turn: number): string {
  return names[turn % names.length] ?? '';
}
