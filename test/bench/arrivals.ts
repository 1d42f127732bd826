/** What the measured handler has written down: which task was started when. See `record-arrival.mjs` for the format. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const BYTES_PER_ARRIVAL = 16;

export class Arrivals {
  private readonly file: number;

  constructor(readonly path: string) {
    this.file = openSync(path, 'a+', 0o600);
  }

  /** How many handlers were started so far. */
  get count(): number {
    return Math.floor(fstatSync(this.file).size / BYTES_PER_ARRIVAL);
  }

  /** First start of each task from the given arrival on: number of the task → ms of `clockMs`. */
  since(first: number): Map<number, number> {
    const numbers = new Float64Array((this.count - first) * 2);
    readSync(this.file, numbers, 0, numbers.byteLength, first * BYTES_PER_ARRIVAL);
    const starts = new Map<number, number>();
    for (let at = 0; at < numbers.length; at += 2) {
      const number = numbers[at]!;
      if (!starts.has(number)) starts.set(number, numbers[at + 1]!);
    }
    return starts;
  }

  close(): void {
    closeSync(this.file);
  }
}
