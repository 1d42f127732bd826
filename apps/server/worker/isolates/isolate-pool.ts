/**
 * Isolates, from start to end. One that has done its work is kept for a while, because a start costs far more than most
 * attempts. Each runs one attempt at a time, so ending one harms nobody else. Starts take turns: many at once would make all
 * of them late.
 */
import { within } from '@app/lifecycle';
import { startError, ending } from './exit-error.js';
import type { Isolate, IsolateSpec } from './isolate.js';

/** How often an isolate is used at most, so that what a module leaks does not grow for ever. */
const USES_MAX = 1_000;
/** How long the end of an isolate is waited for. A thread that sits in a blocking call outlives that. */
const END_MS = 2_000;

export interface PoolOptions {
  start(spec: IsolateSpec): Isolate;
  /** Starts at once. */
  startsMax: number;
  /** How long one start may take, in ms. */
  startMs: number;
  /** How long one without work is kept, in ms. */
  idleMs: number;
  /** How many without work are kept. */
  idleMax: number;
  /** One without work has ended by itself. */
  onLoss(isolate: Isolate): void;
}

/** Null where the signal fired first; `start` is a turn to start one. */
type Grant = Isolate | 'start' | null;

interface Waiting {
  spec: IsolateSpec;
  grant(grant: Grant): void;
}

interface Idle {
  isolate: Isolate;
  timer: NodeJS.Timeout;
}

export class IsolatePool {
  private readonly all = new Map<Isolate, { uses: number }>();
  /** The longest idle first. */
  private idle: Idle[] = [];
  private starting = 0;
  /** The longest waiting first. Nobody waits for what is there: whatever becomes free is handed on at once. */
  private waiting: Waiting[] = [];
  private closed = false;

  constructor(private readonly options: PoolOptions) {}

  /** How many there are, at work or not. */
  get size(): number {
    return this.all.size;
  }

  /**
   * One that is ready and nobody else's, or null where the signal fired first.
   * @throws RetryableError `isolate-not-started`
   */
  async acquire(spec: IsolateSpec, signal: AbortSignal): Promise<Isolate | null> {
    if (signal.aborted) return null;
    const grant = await this.turn(spec, signal);
    if (grant === null) return null;
    if (signal.aborted) {
      this.giveBack(grant);
      return null;
    }
    if (grant !== 'start') return grant;
    const given = this.start(spec).finally(() => {
      this.giveBack('start');
    });
    const isolate = await Promise.race([given, whenAborted(signal, given)]);
    // What was started for somebody who is gone serves the next one.
    if (isolate === null) void given.then((late) => this.release(late)).catch(() => undefined);
    return isolate;
  }

  /** Its attempt has left nothing behind; it may serve another. */
  release(isolate: Isolate): void {
    const use = this.all.get(isolate);
    isolate.onReport = null;
    if (use === undefined || this.closed || use.uses >= USES_MAX || this.options.idleMs === 0 || this.options.idleMax === 0) {
      isolate.kill();
      return;
    }
    const timer = setTimeout(() => {
      this.drop(isolate);
    }, this.options.idleMs).unref();
    this.idle.push({ isolate, timer });
    this.serve();
    if (this.idle.length > this.options.idleMax) this.drop(this.idle[0]?.isolate);
  }

  /** Ends it. Resolves with whether it is gone; what is not gone yet cannot be ended from outside. */
  async retire(isolate: Isolate): Promise<boolean> {
    isolate.onReport = null;
    isolate.kill();
    return within(isolate.exited, END_MS, 'ending an isolate').then(
      () => true,
      () => false,
    );
  }

  /** Ends all of them at once; no other is started. */
  killAll(): void {
    this.closed = true;
    for (const isolate of this.all.keys()) isolate.kill();
  }

  async close(): Promise<void> {
    this.killAll();
    await Promise.all([...this.all.keys()].map((isolate) => this.retire(isolate)));
  }

  /** What serves the spec, in turn: one that was released, or a start. Whoever goes leaves the queue, and starts nothing. */
  private async turn(spec: IsolateSpec, signal: AbortSignal): Promise<Grant> {
    let leave = (): void => undefined;
    const granted = new Promise<Grant>((resolve) => {
      const waiting: Waiting = { spec, grant: resolve };
      this.waiting.push(waiting);
      leave = (): void => {
        this.waiting = this.waiting.filter((other) => other !== waiting);
        resolve(null);
      };
    });
    signal.addEventListener('abort', leave, { once: true });
    this.serve();
    return granted.finally(() => {
      signal.removeEventListener('abort', leave);
    });
  }

  /** Hands what is free to those who wait. */
  private serve(): void {
    this.waiting = this.waiting.filter(({ spec, grant }) => {
      const taken = this.takeIdle(spec);
      if (taken === null && this.starting >= this.options.startsMax) return true;
      if (taken === null) this.starting += 1;
      grant(taken ?? 'start');
      return false;
    });
  }

  private giveBack(grant: Isolate | 'start'): void {
    if (grant !== 'start') {
      this.release(grant);
      return;
    }
    this.starting -= 1;
    this.serve();
  }

  /** The most recently used one, so that those nobody needs get old. */
  private takeIdle(spec: IsolateSpec): Isolate | null {
    const index = this.idle.findLastIndex(({ isolate }) => isSame(isolate.spec, spec));
    const [found] = index === -1 ? [] : this.idle.splice(index, 1);
    if (found === undefined) return null;
    clearTimeout(found.timer);
    return this.used(found.isolate);
  }

  private async start(spec: IsolateSpec): Promise<Isolate> {
    if (this.closed) throw startError('The worker stops.');
    const isolate = this.open(spec);
    const ready = new Promise<void>((resolve, reject) => {
      isolate.onReport = (report) => {
        if (report.type === 'ready') resolve();
        if (report.type === 'not-loaded') reject(startError(report.message));
        if (report.type === 'crashed') reject(startError(report.failure.message));
        if (report.type === 'unreadable') reject(startError('It sent a message that is none of the platform.'));
      };
      void isolate.exited.then((exit) => {
        const began = exit.code !== null || exit.signal !== null;
        reject(began ? startError(`It ended with ${ending(exit)}.`) : notGiven(spec));
      });
    });
    const { startMs } = this.options;
    try {
      await within(ready, startMs, 'starting an isolate');
    } catch (error) {
      ready.catch(() => undefined);
      isolate.onReport = null;
      isolate.kill();
      throw error instanceof Error && error.name === 'DeadlineExceeded' ? startError(`It was not ready within ${startMs} ms.`) : error;
    }
    isolate.onReport = null;
    return this.used(isolate);
  }

  private open(spec: IsolateSpec): Isolate {
    let isolate: Isolate;
    try {
      isolate = this.options.start(spec);
    } catch {
      throw notGiven(spec);
    }
    this.all.set(isolate, { uses: 0 });
    void isolate.exited.then(() => {
      this.all.delete(isolate);
      const index = this.idle.findIndex((other) => other.isolate === isolate);
      if (index === -1) return;
      clearTimeout(this.idle.splice(index, 1)[0]?.timer);
      this.options.onLoss(isolate);
    });
    return isolate;
  }

  private used(isolate: Isolate): Isolate {
    const use = this.all.get(isolate);
    if (use !== undefined) use.uses += 1;
    return isolate;
  }

  private drop(isolate: Isolate | undefined): void {
    const index = this.idle.findIndex((other) => other.isolate === isolate);
    if (index === -1) return;
    const [dropped] = this.idle.splice(index, 1);
    clearTimeout(dropped?.timer);
    dropped?.isolate.kill();
  }
}

const isSame = (one: IsolateSpec, other: IsolateSpec): boolean =>
  one.kind === other.kind && one.module === other.module && one.memoryMb === other.memoryMb;

/** The machine lacks memory, processes or file descriptors; its own words say nothing to whoever reads the task. */
const notGiven = ({ kind }: IsolateSpec): Error => startError(`The machine did not give it a ${kind}.`);

/** Null when the signal fires; does not listen any longer than the start takes. */
function whenAborted(signal: AbortSignal, given: Promise<unknown>): Promise<null> {
  return new Promise((resolve) => {
    const tell = (): void => {
      resolve(null);
    };
    const forget = (): void => {
      signal.removeEventListener('abort', tell);
    };
    signal.addEventListener('abort', tell, { once: true });
    given.then(forget, forget);
  });
}
