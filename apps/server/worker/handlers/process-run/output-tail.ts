/**
 * The end of what a program wrote: a ring of a fixed size, whatever is written into it. Read as UTF-8, and cut between two
 * characters, never inside one.
 */
const CONTINUATION_MASK = 0xc0;
const CONTINUATION = 0x80;
/** A character has at most four bytes, so at most three are left of one that was cut. */
const REMAINS_MAX = 3;

export class OutputTail {
  private readonly ring: Buffer;
  /** Where the next byte goes. */
  private at = 0;
  private written = 0;

  /** @param bytes how much is kept. */
  constructor(bytes: number) {
    this.ring = Buffer.alloc(bytes);
  }

  write(chunk: Buffer): void {
    this.written += chunk.length;
    const size = this.ring.length;
    if (size === 0) return;
    const kept = chunk.length > size ? chunk.subarray(chunk.length - size) : chunk;
    const first = Math.min(kept.length, size - this.at);
    kept.copy(this.ring, this.at, 0, first);
    kept.copy(this.ring, 0, first);
    this.at = (this.at + kept.length) % size;
  }

  /** What is kept; bytes that are no UTF-8 become U+FFFD. */
  toString(): string {
    const whole = this.written <= this.ring.length;
    const bytes = whole
      ? this.ring.subarray(0, this.written)
      : Buffer.concat([this.ring.subarray(this.at), this.ring.subarray(0, this.at)]);
    let start = 0;
    while (!whole && start < REMAINS_MAX && ((bytes[start] ?? 0) & CONTINUATION_MASK) === CONTINUATION) start += 1;
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(start));
  }
}
