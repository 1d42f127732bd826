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
  /** What an earlier attempt of this handler saved last with `checkpoint`, or null. */
  readonly lastCheckpoint: unknown;
  /**
   * Saves where the work stands; resolves when this or a later one is stored, and replaces what was saved before. The next attempt
   * finds it in `lastCheckpoint`. Anything JSON can hold, at most `CHECKPOINT_MAX_BYTES`; `undefined` becomes `null`. Rejects,
   * retryably, where it cannot be stored in time, or the attempt is over or no longer this worker's; for good where it is too
   * large or no JSON.
   */
  checkpoint(data: unknown): Promise<void>;
  /** Ends this attempt without a failure; the task is run again after so many ms, 0 to 30 days. Throws, so nothing after it runs. */
  snooze(delayMs: number): never;
  /**
   * Notes something that exists outside of this system for the task (a machine, a lock, a ticket), before it is made. If the task
   * ends without `release`, the handler's `onAbandon` is called for it until it succeeds. Rejects for good where the handler has no
   * such hook, retryably where it could not be stored.
   * @param kind 1 to 64 of `[A-Za-z0-9._:-]`
   * @param ref what is needed to find it again, 1 to 1,000 characters
   */
  registerResource(kind: string, ref: string): Promise<HeldResource>;
  /** What earlier attempts registered and did not release, at most 1,000; not what a hook was called for already. */
  readonly resources: readonly HeldResource[];
  /** For a fallback: how the handler that it stands in for failed last. Null otherwise. */
  readonly primaryError: { readonly code: string; readonly message: string } | null;
}

/** Something outside of this system that a task holds. */
export interface HeldResource {
  readonly kind: string;
  readonly ref: string;
  /** Says that it is gone, or that somebody else looks after it. */
  release(): Promise<void>;
}

/** A resource whose task ended without releasing it. */
export interface AbandonedResource {
  readonly taskId: string;
  readonly tenant: string;
  readonly kind: string;
  readonly ref: string;
  /** How often its hook was called before. */
  readonly tries: number;
}

export interface AbandonContext {
  /** Aborted when the call has taken too long, and when the worker stops. */
  readonly signal: AbortSignal;
  readonly logger: HandlerLogger;
}

export interface HandlerDefinition<P = unknown, R = unknown> {
  /** Which tasks it runs: 1 to 128 of `[A-Za-z0-9._:-]`. */
  readonly name: string;
  /** How long one attempt may run, 1 to 86,400,000 ms. */
  readonly timeoutMs?: number;
  readonly retry?: HandlerRetry;
  /**
   * Runs each attempt in a thread or a process of its own, which is ended where the handler ignores its abort, and whose memory
   * and crashes are nobody else's. Only for handlers that come from a module of `HANDLERS_DIR`.
   */
  readonly isolation?: 'thread' | 'process';
  /** How much memory an isolated handler may use, 16 to 65,536 MiB. */
  readonly memoryMb?: number;
  /**
   * What a payload has to look like: a JSON Schema (draft 2020-12), checked at boot. A task whose payload does not fit is refused where
   * the api knows the handler, and otherwise fails for good before `run` is called.
   */
  readonly payloadSchema?: Readonly<Record<string, unknown>>;
  /** Name of the handler that takes over when this one has failed for good; up to five in a row, checked at boot. */
  readonly fallback?: string;
  /**
   * Lets go of a resource that a task left behind. Called at least once per resource, again until it succeeds, on any worker that
   * has this handler; it must not mind finding the resource gone.
   */
  onAbandon?(resource: AbandonedResource, context: AbandonContext): void | Promise<void>;
  /**
   * Does the work. What it returns becomes the result (anything JSON can hold; `undefined` becomes `null`); what it throws
   * is a failure that is tried again, unless it says that this is pointless (see `PermanentError`).
   */
  run(payload: P, context: TaskContext): R | Promise<R>;
}
