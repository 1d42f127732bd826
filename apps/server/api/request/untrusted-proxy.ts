/**
 * Says once that a request came with `X-Forwarded-For` and that nobody's is believed. Behind a proxy that nobody named, all clients share
 * one address and its failed attempts, and the first sign of it would be that good tokens are refused. The value is not written: it
 * is whatever the client likes.
 */
import type { NextFunction, Request, Response } from 'express';
import type { Logger } from '@app/telemetry';

const MESSAGE =
  'A request has come with X-Forwarded-For, which is not believed while TRUST_PROXY is unset. Behind a proxy, name it there: until then all of its clients count as one. Where there is none, a client has made the header up.';

export function untrustedProxy(logger: Pick<Logger, 'warn'>) {
  let isTold = false;
  return (request: Request, _response: Response, next: NextFunction): void => {
    if (!isTold && request.headers['x-forwarded-for'] !== undefined) {
      isTold = true;
      logger.warn({}, MESSAGE);
    }
    next();
  };
}
