/**
 * The one place where an error becomes an HTTP answer: kinds become statuses, unknown errors become `internal`, and a
 * problem document (RFC 9457) is made that says what to do and shows nothing of what happened inside.
 */
import { HttpException } from '@nestjs/common';
import { TaskRunnerError, type ErrorKind, type FieldProblem } from '@app/errors';

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

export interface Problem {
  /** `urn:task-runner-x:problem:` and the code. */
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  requestId: string;
  errors?: readonly FieldProblem[];
}

export const STATUS_OF_KIND: Readonly<Record<ErrorKind, number>> = {
  malformed: 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'too-large': 413,
  'unsupported-media': 415,
  invalid: 422,
  limited: 429,
  internal: 500,
  unavailable: 503,
};

const TITLES: Readonly<Record<number, string>> = {
  400: 'Malformed request',
  401: 'Not authenticated',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Method not allowed',
  406: 'Not acceptable answer',
  408: 'Request timeout',
  409: 'Conflict',
  413: 'Too large',
  415: 'Unsupported media type',
  422: 'Not acceptable content',
  429: 'Too many requests',
  431: 'Header too large',
  500: 'Internal error',
  503: 'Temporarily unavailable',
};

/** What Nest and Express raise themselves, by status. Their own messages are not passed on: they may repeat input. */
const HTTP_ERRORS: Readonly<Record<number, { code: string; detail: string }>> = {
  400: { code: 'bad-request', detail: 'The request cannot be read. Check its address and headers.' },
  404: { code: 'not-found', detail: 'No such route.' },
  405: { code: 'method-not-allowed', detail: 'This address does not take this method. See the Allow header.' },
  406: { code: 'not-acceptable', detail: 'This api answers in JSON. Send Accept: application/json, or none.' },
  408: { code: 'request-timeout', detail: 'The body did not arrive in time. Send it again, faster.' },
  431: { code: 'too-many-headers', detail: 'More header lines than are accepted. Send fewer.' },
  503: { code: 'dependency-unavailable', detail: 'Not available at the moment. Repeat the request shortly.' },
};

const ERRORS_SHOWN = 20;
const DEFAULT_RETRY_AFTER_MS = 2_000;
const INTERNAL_DETAIL = 'Something went wrong on our side. Repeat the request later; if it stays, report the request id.';

/** The document for any thrown value. */
export function problemOf(error: unknown, requestId: string): Problem {
  if (error instanceof TaskRunnerError) {
    const status = STATUS_OF_KIND[error.kind];
    return status === 500 ? internal(requestId) : document(status, error.code, error.message, requestId, error.fields);
  }
  if (error instanceof HttpException) {
    const known = HTTP_ERRORS[error.getStatus()];
    if (known !== undefined) {
      return document(error.getStatus(), known.code, known.detail, requestId);
    }
    if (error.getStatus() < 500) {
      return document(error.getStatus(), 'bad-request', 'The request cannot be handled as it is.', requestId);
    }
  }
  return internal(requestId);
}

/** Whole seconds for the `Retry-After` header, or null where none belongs. */
export function retryAfterSeconds(error: unknown, status: number): number | null {
  const given = error instanceof TaskRunnerError ? error.retryAfterMs : undefined;
  const needed = status === 429 || status === 503;
  const ms = given ?? (needed ? DEFAULT_RETRY_AFTER_MS : undefined);
  return ms === undefined ? null : Math.max(1, Math.ceil(ms / 1_000));
}

function internal(requestId: string): Problem {
  return document(500, 'internal', INTERNAL_DETAIL, requestId);
}

function document(status: number, code: string, detail: string, requestId: string, fields: readonly FieldProblem[] = []): Problem {
  const problem = { type: `urn:task-runner-x:problem:${code}`, title: TITLES[status] ?? 'Error', status, detail, code, requestId };
  return fields.length === 0 ? problem : { ...problem, errors: fields.slice(0, ERRORS_SHOWN) };
}
