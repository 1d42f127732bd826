/**
 * Every failure that leaves a module is one of these: a stable code that clients and runbooks may rely on, a kind that
 * says whose move it is, and the cause for the log. There is no HTTP here; one filter in the api maps kinds to statuses,
 * so a worker or a script can raise the same error without pretending to be a web server.
 */

/** Whose move it is: `malformed` and `invalid` the caller's, `unavailable` time's, `internal` ours. */
export type ErrorKind =
  | 'malformed'
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  | 'too-large'
  | 'unsupported-media'
  | 'limited'
  | 'unavailable'
  | 'internal';

/** One offending place in a request. `pointer` is a JSON pointer (RFC 6901), or the name of a query parameter or header. */
export interface FieldProblem {
  pointer: string;
  code: string;
  message: string;
}

export interface ErrorDetails {
  /** What went wrong below; it goes to the log, never to a client. */
  cause?: unknown;
  /** When a caller may try again, in ms. Required in spirit for `limited` and `unavailable`. */
  retryAfterMs?: number;
  fields?: readonly FieldProblem[];
}

/** The base of all typed errors. `message` is a sentence for the caller that says what to do and holds no internals. */
export class TaskRunnerError extends Error {
  readonly retryAfterMs: number | undefined;
  readonly fields: readonly FieldProblem[];

  constructor(
    readonly kind: ErrorKind,
    readonly code: string,
    message: string,
    details: ErrorDetails = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.retryAfterMs = details.retryAfterMs;
    this.fields = details.fields ?? [];
  }
}
