/**
 * Runs one statement again and again from a thread of its own, on a connection of its own. A heartbeat must not depend on the
 * event loop or the connection pool that the work it vouches for is using; on the other hand a heartbeat must not vouch for a
 * main loop that stands still, so the thread also watches a counter that the main loop advances, and ends the process (after
 * naming the stall) when it does not.
 */
import { Worker } from 'node:worker_threads';
import type { Sql } from './sql.js';

export interface PulseOptions {
  /** mysql:// URL. */
  url: string;
  tls: 'off' | 'verify';
  statement: Sql;
  /** Pause between two beats, in ms. */
  everyMs: number;
  /** How long one beat may take, connecting included, in ms. */
  beatTimeoutMs: number;
  /** How long the main loop may stand still before the process is ended, in ms. */
  stallMs: number;
  /** Called on the main thread after each beat with the rows it changed, or with the error. */
  onBeat(affected: number): void;
  onError(message: string): void;
  /** The thread is gone; there will be no further beat. */
  onDeath(): void;
}

/** What the thread is given. */
export interface PulseData {
  url: string;
  tls: 'off' | 'verify';
  text: string;
  values: readonly (string | number | Uint8Array | null)[];
  everyMs: number;
  beatTimeoutMs: number;
  stallMs: number;
  /** [0] is advanced by the main loop, [1] by every beat that changed its row. */
  counters: Int32Array;
}

export type PulseMessage = { affected: number } | { error: string };

const PROGRESS_EVERY_MS = 200;

export class Pulse {
  private readonly worker: Worker;
  private readonly progressing: NodeJS.Timeout;
  private readonly counters = new Int32Array(new SharedArrayBuffer(8));
  private stopping = false;

  constructor(options: PulseOptions) {
    const data: PulseData = {
      url: options.url,
      tls: options.tls,
      text: options.statement.text,
      values: options.statement.values,
      everyMs: options.everyMs,
      beatTimeoutMs: options.beatTimeoutMs,
      stallMs: options.stallMs,
      counters: this.counters,
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
    this.progressing = setInterval(() => Atomics.add(this.counters, 0, 1), PROGRESS_EVERY_MS);
    this.progressing.unref();
  }

  /** Beats that changed their row so far. Read from memory, so it is true even while messages from the thread still wait. */
  get beats(): number {
    return Atomics.load(this.counters, 1);
  }

  async stop(): Promise<void> {
    this.stopping = true;
    clearInterval(this.progressing);
    await this.worker.terminate();
  }
}
