/**
 * Refuses a request with more header lines than may be. The server stops reading lines at a count of its own and says nothing; a
 * request that goes on without one of its headers, an `Idempotency-Key` for example, is another request.
 */
import { HttpException } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';

const HEADER_FIELDS_TOO_LARGE = 431;

export function headerCount(linesMax: number) {
  return (request: Request, _response: Response, next: NextFunction): void => {
    // Names and values, one after the other.
    if (request.rawHeaders.length > 2 * linesMax) next(new HttpException('too many header lines', HEADER_FIELDS_TOO_LARGE));
    else next();
  };
}
