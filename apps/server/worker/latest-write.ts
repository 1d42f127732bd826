/**
 * Writes of which only the latest counts. One is under way at a time, so an early one that is slow cannot overtake a later one and
 * undo it; of those that wait meanwhile only the last is written, and all of them end as it does. So whoever writes without waiting
 * costs one write more, not a queue.
 */
interface Waiting<T> {
  value: T;
  done: Promise<void>;
}

export class LatestWrite<T> {
  private waiting: Waiting<T> | null = null;
  /** The write under way; never rejects. */
  private underWay: Promise<void> | null = null;

  constructor(private readonly write: (value: T) => Promise<void>) {}

  /** Settles as the write of this value does, or of the later one that took its place. */
  put(value: T): Promise<void> {
    if (this.underWay === null) return this.start(value);
    if (this.waiting === null) this.waiting = { value, done: this.underWay.then(() => this.startWaiting(value)) };
    else this.waiting.value = value;
    return this.waiting.done;
  }

  private startWaiting(first: T): Promise<void> {
    const value = this.waiting === null ? first : this.waiting.value;
    this.waiting = null;
    return this.start(value);
  }

  private start(value: T): Promise<void> {
    const writing = this.write(value);
    const end = (): void => {
      if (this.waiting === null) this.underWay = null;
    };
    this.underWay = writing.then(end, end);
    return writing;
  }
}
