/**
 * What a handler is given besides its payload. Progress is written at most every quarter second; what comes faster replaces
 * what has not been written yet, so a handler may report as often as it likes.
 *
 * The signal is made when somebody first asks for it: most handlers never do, and one costs more than everything else here together
 * (2.4 µs, and as much again to collect it: it survives the collections of young objects).
 */
import { DeferError, type HandlerLogger, type HeldResource, type TaskContext } from '@app/handlers';
import type { ClaimedTask } from '@app/tasks';
import type { Logger } from '@app/telemetry';
import type { Desk, FoundResource, Inheritance } from './desk.js';

const PROGRESS_EVERY_MS = 250;
const MESSAGE_LENGTH_MAX = 500;

export interface ContextOptions {
  /** Its signal tells the handler to stop. */
  abort: AbortController;
  deadline: Date;
  logger: HandlerLogger;
  desk: Desk;
  inherited: Inheritance;
}

const ABORT = Symbol('abort');

type Unsignalled = Omit<TaskContext, 'signal'> & { readonly [ABORT]: AbortController };

/** One for all contexts. An own property, so that a copy of a context has the signal as well; and it may be given another. */
const SIGNAL: PropertyDescriptor & ThisType<Unsignalled> = {
  enumerable: true,
  configurable: true,
  get() {
    return this[ABORT].signal;
  },
  set(value: unknown) {
    Object.defineProperty(this, 'signal', { value, enumerable: true, configurable: true, writable: true });
  },
};

/** What a context says of its task; the rest of the claim stays with the worker. */
export type TaskFacts = Pick<ClaimedTask, 'id' | 'name' | 'queue' | 'tenant' | 'attempt' | 'failures'>;

/** `end` is to be called when the attempt is over, whatever the handler does: nothing is written for it afterwards. */
export function makeContext(task: TaskFacts, options: ContextOptions): { context: TaskContext; end: () => void } {
  const { desk, inherited } = options;
  const reports = new Reports(desk);
  const held = (found: FoundResource): HeldResource => ({
    kind: found.kind,
    ref: found.ref,
    release: () => floating(desk.release(found.id)),
  });
  const context: Omit<TaskContext, 'signal'> = {
    id: task.id,
    name: task.name,
    queue: task.queue,
    tenant: task.tenant,
    attempt: task.attempt,
    failures: task.failures,
    // The same for every attempt of the task, so that a receiver that honours it applies an effect once.
    idempotencyToken: task.id,
    deadline: options.deadline,
    // A copy, so that who wraps it changes nobody else's.
    logger: { ...options.logger },
    progress: (fraction, message = '') => reports.add(fraction, message),
    lastCheckpoint: inherited.lastCheckpoint === null ? null : (JSON.parse(inherited.lastCheckpoint) as unknown),
    checkpoint: (data) => floating(desk.checkpoint(data)),
    snooze: (delayMs) => {
      throw new DeferError(delayMs);
    },
    registerResource: (kind, ref) => floating(desk.register(kind, ref).then(held)),
    resources: inherited.resources.map(held),
    primaryError: inherited.primaryError,
  };
  Object.defineProperty(context, ABORT, { value: options.abort });
  Object.defineProperty(context, 'signal', SIGNAL);
  return {
    context: context as TaskContext,
    end: () => {
      reports.end();
    },
  };
}

/** A promise that nobody waits for must not be able to end the process; whoever does wait is told all the same. */
function floating<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/** Writes the first report at once and then the latest one at most every quarter second. */
class Reports {
  private resting: NodeJS.Timeout | null = null;
  private latest: [number, string] | null = null;
  private over = false;

  constructor(private readonly desk: Pick<Desk, 'progress'>) {}

  async add(fraction: number, message: string): Promise<void> {
    if (this.over) return;
    // A report that nobody awaits must not be able to end the process, so a bad number is brought into range, not thrown.
    fraction = Number.isFinite(fraction) ? Math.min(1, Math.max(0, fraction)) : 0;
    const text = String(message).slice(0, MESSAGE_LENGTH_MAX);
    if (this.resting !== null) {
      this.latest = [fraction, text];
      return;
    }
    this.rest();
    await this.send(fraction, text);
  }

  end(): void {
    this.over = true;
    if (this.resting !== null) clearTimeout(this.resting);
  }

  private rest(): void {
    this.resting = setTimeout(() => {
      this.resting = null;
      if (this.latest === null) return;
      const [fraction, text] = this.latest;
      this.latest = null;
      this.rest();
      void this.send(fraction, text);
    }, PROGRESS_EVERY_MS);
  }

  /** A report is a courtesy: one that fails is followed by another, or by the outcome, and fails no attempt. */
  private async send(fraction: number, text: string): Promise<void> {
    await this.desk.progress(fraction, text).catch(() => undefined);
  }
}

/** What a line of a handler ends up in. */
export type FieldsFirst = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

/** Handlers write a message first, like everybody else's loggers; ours wants the fields first. */
export function handlerLogger(logger: FieldsFirst): HandlerLogger {
  return {
    debug: (message, fields = {}) => {
      logger.debug(fields, message);
    },
    info: (message, fields = {}) => {
      logger.info(fields, message);
    },
    warn: (message, fields = {}) => {
      logger.warn(fields, message);
    },
    error: (message, fields = {}) => {
      logger.error(fields, message);
    },
  };
}
