/** The desk of an attempt that runs in an isolate: every question is a message to the worker, and is answered or given up in time. */
import { PermanentError, RetryableError, serialiseResult } from '@app/handlers';
import type { Desk, FoundResource } from '../desk.js';
import { errorFrom } from './failures.js';
import type { Line } from './line.js';
import type { DeskAnswer, DeskAsk, RunOrder } from './messages.js';

/** How many questions of one attempt may wait for their answers. */
const WAITING_MAX = 1_000;

interface Waiting {
  resolve(found: FoundResource | null): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

export class MessageDesk implements Desk {
  private readonly waiting = new Map<number, Waiting>();
  private asked = 0;
  private closed = false;

  constructor(
    private readonly line: Pick<Line, 'send'>,
    private readonly order: Pick<RunOrder, 'key' | 'checkpointBytesMax' | 'deskMs'>,
  ) {}

  async progress(fraction: number, message: string): Promise<void> {
    await this.ask({ what: 'progress', fraction, message });
  }

  async checkpoint(data: unknown): Promise<void> {
    const text = serialiseResult(data, this.order.checkpointBytesMax, 'checkpoint');
    if (!text.ok) throw new PermanentError(text.message, { code: text.code });
    await this.ask({ what: 'checkpoint', json: text.json });
  }

  async register(kind: string, ref: string): Promise<FoundResource> {
    // What is no text is refused by the worker, in the same words as everywhere.
    const found = await this.ask({ what: 'register', kind: typeof kind === 'string' ? kind : '', ref: typeof ref === 'string' ? ref : '' });
    if (found === null) throw notStored('The worker did not say what it registered.');
    return found;
  }

  async release(id: string): Promise<void> {
    await this.ask({ what: 'release', id });
  }

  take({ ask, found, failure }: DeskAnswer): void {
    const waiting = this.waiting.get(ask);
    if (waiting === undefined) return;
    this.waiting.delete(ask);
    clearTimeout(waiting.timer);
    if (failure === null) waiting.resolve(found);
    else waiting.reject(errorFrom(failure));
  }

  /** The attempt is over. What still waits is given up silently: its answer, and a refusal even more, would reach nobody. */
  close(): void {
    this.closed = true;
    for (const { timer } of this.waiting.values()) clearTimeout(timer);
    this.waiting.clear();
  }

  private ask(wanted: DeskAsk): Promise<FoundResource | null> {
    if (this.closed) return Promise.reject(notStored('The attempt is over; nothing was stored.', 'attempt-over'));
    if (this.waiting.size >= WAITING_MAX) {
      return Promise.reject(notStored(`${WAITING_MAX} calls wait for their answers already; await them.`));
    }
    this.asked += 1;
    const ask = this.asked;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(ask);
        reject(notStored('The worker did not answer in time; the attempt may be tried again.'));
      }, this.order.deskMs);
      this.waiting.set(ask, { resolve, reject, timer });
      this.line.send({ type: 'asked', key: this.order.key, ask, wanted });
    });
  }
}

const notStored = (message: string, code = 'not-stored'): RetryableError => new RetryableError({ message, code });
