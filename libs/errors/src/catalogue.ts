/**
 * The errors more than one module raises, made in one place so that a code means one thing everywhere.
 * `docs/errors.md` lists every code; a test compares the two.
 */
import { TaskRunnerError, type ErrorDetails, type FieldProblem } from './task-runner-error.js';

/** The request cannot be read at all (400). */
export class MalformedRequest extends TaskRunnerError {
  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super('malformed', code, message, details);
  }
}

/** The request was read and is not acceptable (422). */
export class InvalidRequest extends TaskRunnerError {
  constructor(code: string, message: string, fields: readonly FieldProblem[] = []) {
    super('invalid', code, message, { fields });
  }
}

/** The thing does not exist, or belongs to another tenant: the answer is the same on purpose. */
export class NotFound extends TaskRunnerError {
  constructor(what: 'task' | 'queue' | 'bulk operation' | 'key' | 'revocation' | 'route' = 'task') {
    super('not-found', 'not-found', `No such ${what}.`);
  }
}

/** The state machine has no such move from the state the task is in. */
export class InvalidState extends TaskRunnerError {
  constructor(message: string) {
    super('conflict', 'invalid-state', message);
  }
}

/** As many operations over many tasks are running for the tenant as may. */
export class TooManyOperations extends TaskRunnerError {
  constructor(runningMax: number) {
    super(
      'limited',
      'too-many-operations',
      `${runningMax} bulk operations of this tenant are running, and no more may at a time. Wait for one to finish, or abort one.`,
      { retryAfterMs: 10_000 },
    );
  }
}

/** The tenant has used up what it may have of something until some of it is free again; nothing was changed. */
export class QuotaExceeded extends TaskRunnerError {
  constructor(
    /** The name of the limit, such as `tasks.queued`. */
    readonly quota: string,
    readonly limit: number,
    /** What the limit bounds, as the rest of a sentence that begins with "The limit of". */
    what: string,
  ) {
    super(
      'limited',
      'quota-exceeded',
      `The limit of ${limit} ${what} (${quota}) leaves no room for this. Wait until tasks have ended, cancel some, or ask for a higher limit.`,
      { retryAfterMs: 5_000 },
    );
  }
}

/** The table of limits is as long as it may be. */
export class TooManyLimits extends TaskRunnerError {
  constructor(rowsMax: number) {
    super('conflict', 'too-many-limits', `The table of limits has ${rowsMax} rows, and no more are read. Remove limits that nobody needs.`);
  }
}

/** As many queues are paused for the tenant, or for all, as may be. */
export class TooManyPauses extends TaskRunnerError {
  constructor(pausesMax: number) {
    super(
      'conflict',
      'too-many-pauses',
      `${pausesMax} queues are paused for this tenant (or for all, where it was to be for all), and no more may be. Resume one that may run.`,
    );
  }
}

/** The idempotency key was used before with another body. */
export class IdempotencyKeyReused extends TaskRunnerError {
  constructor() {
    super('invalid', 'idempotency-key-reused', 'This Idempotency-Key was used with a different request. Use a new key for a new task.');
  }
}

/** A request with the same key has not finished yet. */
export class IdempotencyInProgress extends TaskRunnerError {
  constructor() {
    super(
      'conflict',
      'idempotency-in-progress',
      'A request with this Idempotency-Key is still in flight. Repeat the same request shortly.',
      {
        retryAfterMs: 1_000,
      },
    );
  }
}

/** A dependency does not answer; nothing was changed, or what was changed will be found again by the same key. */
export class Unavailable extends TaskRunnerError {
  constructor(message: string, details: ErrorDetails = {}) {
    super('unavailable', 'dependency-unavailable', message, { retryAfterMs: 2_000, ...details });
  }
}

/** This process is stopping and takes nothing new. */
export class Draining extends TaskRunnerError {
  constructor() {
    super('unavailable', 'draining', 'This instance is stopping. Repeat the request; another instance will take it.', {
      retryAfterMs: 1_000,
    });
  }
}

/** The configuration cannot be used. Lists every problem found, one per line. */
export class InvalidConfiguration extends TaskRunnerError {
  constructor(readonly problems: readonly string[]) {
    super('internal', 'invalid-configuration', problems.join('\n'));
  }
}
