/**
 * Lets few statements through at a time, in the order in which they came, however many ask at once: what people look at must
 * not take the connections that tasks need. Who would have to wait behind too many others is turned away.
 */
import { Unavailable } from '@app/errors';

/** How many may be under way, and how many may wait. */
const IN_FLIGHT_MAX = 2;
const WAITING_MAX = 500;

export class Turnstile {
  static readonly IN_FLIGHT_MAX = IN_FLIGHT_MAX;

  private inFlight = 0;
  private readonly waiting: (() => void)[] = [];

  /** `what` is asked for, as in "Too many ask for …". */
  constructor(private readonly what: string) {}

  /** Throws Unavailable where 500 are waiting, and what `work` throws. */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.inFlight >= IN_FLIGHT_MAX) {
      if (this.waiting.length >= WAITING_MAX) throw new Unavailable(`Too many ask for ${this.what}. Repeat the request shortly.`);
      // Whoever ends hands its place on, so the number in flight stays as it is.
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    } else this.inFlight += 1;
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.inFlight -= 1;
      else next();
    }
  }
}
