/**
 * Gives every request an id: the caller's own where it is harmless, else a new one. It goes back in the answer, into every
 * problem document and onto every log line written while the request is handled.
 */
import { randomUUID } from 'node:crypto';
import type { NextFunction, Request, Response } from 'express';
import { runWithContext } from '@app/telemetry';

const HEADER = 'X-Request-Id';
const HARMLESS = /^[A-Za-z0-9._-]{1,64}$/;

export function requestId(request: Request, response: Response, next: NextFunction): void {
  const given = request.headers['x-request-id'];
  const id = typeof given === 'string' && HARMLESS.test(given) ? given : randomUUID();
  response.locals['requestId'] = id;
  response.setHeader(HEADER, id);
  runWithContext({ requestId: id }, next);
}

export function requestIdOf(response: Response): string {
  const id: unknown = response.locals['requestId'];
  return typeof id === 'string' ? id : randomUUID();
}
