/**
 * Refuses a request whose `Accept` leaves out JSON, before anything is done for it: the client could not use the answer. Problems are
 * sent as `application/problem+json` whatever was asked for, as RFC 9457 allows, so a client need not name that type.
 */
import { NotAcceptableException } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';

const ANSWERS = ['application/json', 'application/problem+json'];

export function acceptsJson(request: Request, _response: Response, next: NextFunction): void {
  const { accept } = request.headers;
  const acceptable = accept === undefined || accept.trim() === '' || request.accepts(ANSWERS) !== false;
  next(acceptable ? undefined : new NotAcceptableException());
}
