/**
 * Runs one statement again and again from a thread of its own, on a connection of its own. A heartbeat must not depend on the
 * event loop or the connection pool that the work it vouches for is using. A main loop that stands still must be found by
 * somebody else: see MainLoopWatch.
 */
import { Worker } from 'node:worker_threads';
import type { DatabaseTls } from './server-address.js';
import type { Sql } from './sql.js';

export interface PulseOptions {
  /** mysql:// URL. */
  url: string;
  tls: 'off' | DatabaseTls;
  statement: Sql;
  /** Pause between two beats, in ms. */
  everyMs: number;
  /** How long one beat may take, connecting included, in ms. */
  beatTimeoutMs: number;
  /** Called on the main thread after each beat with the rows it changed, or with the error. */
  onBeat(affected: number): void;
  onError(message: string): void;
  /** The thread is gone; there will be no further beat. */
  onDeath(): void;
}

/** What the thread is given. */
export interface PulseData {
  url: string;
  tls: 'off' | DatabaseTls;
  text: string;
  values: readonly (string | number | Uint8Array | null)[];
  everyMs: number;
  beatTimeoutMs: number;
  /** [0]: when the last beat that changed its row was sent, in ns of the clock that all threads share. */
  sentAt: BigInt64Array;
}

export type PulseMessage = { affected: number } | { error: string };

const NS_PER_MS = 1e6;

export class Pulse {
  private readonly worker: Worker;
  private readonly sentAt = new BigInt64Array(new SharedArrayBuffer(8));
  private stopping = false;

  constructor(options: PulseOptions) {
    const data: PulseData = {
      url: options.url,
      tls: options.tls,
      text: options.statement.text,
      values: options.statement.values,
      everyMs: options.everyMs,
      beatTimeoutMs: options.beatTimeoutMs,
      sentAt: this.sentAt,
    };
    this.worker = new Worker(new URL('./pulse-thread.js', import.meta.url), { workerData: data });
    this.worker.on('message', (message: PulseMessage) => {
      if (this.stopping) return;
      if ('affected' in message) options.onBeat(message.affected);
      else options.onError(message.error);
    });
    this.worker.on('error', (error) => {
      options.onError(`the heartbeat thread failed: ${error.message}`);
    });
    this.worker.on('exit', () => {
      if (!this.stopping) options.onDeath();
    });
    this.worker.unref();
  }

  /**
   * How long ago the last beat that changed its row was sent, in ms; infinite before the first. Read from memory, so it is true even
   * while messages from the thread still wait; and it counts from the sending, so it is true also where this process stood still
   * between a beat and the look at it.
   */
  get ageMs(): number {
    const sentAt = Atomics.load(this.sentAt, 0);
    return sentAt === 0n ? Number.POSITIVE_INFINITY : Number(process.hrtime.bigint() - sentAt) / NS_PER_MS;
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await this.worker.terminate();
  }
}
