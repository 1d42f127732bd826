/**
 * Watches from a thread of its own whether the main loop turns. Where it stands still, the thread asks what it is that runs,
 * writes a line that names the task and the line of code, and, at the limit, ends the process: a heartbeat comes from a thread
 * as well and would otherwise vouch for a worker that does nothing. Before that it tells the database who was to blame, so that
 * what ran beside is not.
 */
import { Worker } from 'node:worker_threads';
import type { DatabaseTls } from './server-address.js';

export interface MainLoopWatchOptions {
  /** Written into every line. */
  role: string;
  /** After how long a standstill is named, in ms. */
  warnMs: number;
  /** After how long it ends the process, in ms; not less than `warnMs`. */
  stallMs: number;
  /** What the main thread is made to evaluate; gives `{ context, stack }` as JSON. */
  question: string;
  /** Whom to tell before the process is ended; null where nobody can be told from another thread. */
  blame: Blame | null;
  /** The thread is gone; nobody watches any more. */
  onDeath(): void;
}

export interface Blame {
  /** mysql:// URL. */
  url: string;
  tls: 'off' | DatabaseTls;
  /** Takes two values: the id of the task that stood in the way, and the id of this worker. */
  statement: string;
  /** 16 bytes; may change while the process lives. */
  workerId(): Buffer;
}

/** What the thread is given. */
export interface MainLoopWatchData {
  role: string;
  everyMs: number;
  warnMs: number;
  stallMs: number;
  question: string;
  /** [0] is advanced by the main loop. */
  turns: Int32Array;
  workerId: Uint8Array;
  blame: Omit<Blame, 'workerId'> | null;
}

const LOOKS_PER_WARNING = 10;
const LOOK_MS_MIN = 20;
const LOOK_MS_MAX = 500;
const ID_BYTES = 16;

export class MainLoopWatch {
  private readonly thread: Worker;
  private readonly turning: NodeJS.Timeout;
  private stopping = false;

  constructor({ role, warnMs, stallMs, question, blame, onDeath }: MainLoopWatchOptions) {
    const everyMs = Math.min(LOOK_MS_MAX, Math.max(LOOK_MS_MIN, Math.round(warnMs / LOOKS_PER_WARNING)));
    const turns = new Int32Array(new SharedArrayBuffer(4));
    const workerId = new Uint8Array(new SharedArrayBuffer(ID_BYTES));
    const told = blame === null ? null : { url: blame.url, tls: blame.tls, statement: blame.statement };
    const data: MainLoopWatchData = { role, everyMs, warnMs, stallMs, question, turns, workerId, blame: told };
    const turn = (): void => {
      if (blame !== null) workerId.set(blame.workerId());
      Atomics.add(turns, 0, 1);
    };
    turn();
    this.thread = new Worker(new URL('./main-loop-watch-thread.js', import.meta.url), { workerData: data });
    this.thread.on('error', () => undefined);
    this.thread.on('exit', () => {
      if (!this.stopping) onDeath();
    });
    this.thread.unref();
    this.turning = setInterval(turn, everyMs);
    this.turning.unref();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    clearInterval(this.turning);
    await this.thread.terminate();
  }
}
