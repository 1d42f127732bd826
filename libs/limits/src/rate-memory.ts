/**
 * What this process remembers of those it has met: a bounded number, who has not been met for longest goes first. Forgetting costs a
 * question to the database when he comes back, and what was leased for him.
 */
export class Remembered<T> {
  private readonly entries = new Map<string, T>();
  /** Who was met last, and so need not be moved behind all others. */
  private last: { readonly key: string; readonly value: T } | null = null;

  constructor(
    /** How many at most. */
    private readonly max: number,
    private readonly make: (key: string) => T,
  ) {}

  get size(): number {
    return this.entries.size;
  }

  /** What is known, without making it known. */
  peek(key: string): T | undefined {
    return this.entries.get(key);
  }

  of(key: string): T {
    if (this.last?.key === key) return this.last.value;
    const value = this.moved(key) ?? this.made(key);
    this.last = { key, value };
    return value;
  }

  private moved(key: string): T | undefined {
    const found = this.entries.get(key);
    if (found === undefined) return undefined;
    this.entries.delete(key);
    this.entries.set(key, found);
    return found;
  }

  private made(key: string): T {
    for (const oldest of this.entries.keys()) {
      if (this.entries.size < this.max) break;
      this.entries.delete(oldest);
    }
    const made = this.make(key);
    this.entries.set(key, made);
    return made;
  }
}
