/**
 * The contract between the platform and a handler: what a handler says of itself, and what it gets to work with. A plain
 * object of this shape is a handler, so a module outside this project needs no import from it.
 */
export type HandlerBackoff = 'exponential' | 'linear' | 'fixed';

/** The handler's own retry policy. A task may override each part; what neither says comes from the configuration. */
export interface HandlerRetry {
  /** How often a task may fail before it is dead-lettered, 1 to 100, the last failure included. */
  readonly maxAttempts?: number;
  readonly backoff?: HandlerBackoff;
  /** Pause before the second attempt, 0 to 86,400,000 ms. */
  readonly baseMs?: number;
  /** Longest pause, 0 to 86,400,000 ms, not less than `baseMs`. */
  readonly maxMs?: number;
  /** Share of the pause that is random, 0 to 1. */
  readonly jitter?: number;
}

/** Lines written here carry the task's id and attempt. Payloads, results and secrets are left out of them. */
export interface HandlerLogger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** What a handler knows about the attempt it is running. */
export interface TaskContext {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  readonly tenant: string;
  /** Number of this execution, from 1; never used twice for a task. */
  readonly attempt: number;
  /** How many attempts have failed before this one. Interruptions (a stopped or lost worker) are not failures. */
  readonly failures: number;
  /** The same for every attempt of a task: hand it to other systems so that they do the work once. */
  readonly idempotencyToken: string;
  /** When this attempt is timed out. */
  readonly deadline: Date;
  /** Aborted at the deadline, at a cancel, when the worker stops, and when the worker has lost its lease. Stop then. */
  readonly signal: AbortSignal;
  readonly logger: HandlerLogger;
  /** Tells how far the work is, 0 to 1. May be called as often as one likes; only the latest is kept. */
  progress(fraction: number, message?: string): Promise<void>;
}

export interface HandlerDefinition<P = unknown, R = unknown> {
  /** Which tasks it runs: 1 to 128 of `[A-Za-z0-9._:-]`. */
  readonly name: string;
  /** How long one attempt may run, 1 to 86,400,000 ms. */
  readonly timeoutMs?: number;
  readonly retry?: HandlerRetry;
  /**
   * Does the work. What it returns becomes the result (anything JSON can hold; `undefined` becomes `null`); what it throws
   * is a failure that is tried again, unless it says that this is pointless (see `PermanentError`).
   */
  run(payload: P, context: TaskContext): R | Promise<R>;
}
