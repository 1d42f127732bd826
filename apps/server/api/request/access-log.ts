/**
 * One line per request, without the query and with the template of the path instead of the path: neither may carry what
 * somebody typed into a log. Answers that are our fault show at the default level, all others at debug.
 */
import type { NextFunction, Request, Response } from 'express';
import type { Clock } from '@app/lifecycle';
import type { Logger } from '@app/telemetry';

export function accessLog(logger: Logger, clock: Clock) {
  return (request: Request, response: Response, next: NextFunction): void => {
    const started = clock.monotonic();
    response.once('close', () => {
      const fields = {
        method: request.method,
        route: routeOf(request),
        status: response.statusCode,
        ms: Math.round(clock.monotonic() - started),
        finished: response.writableFinished,
      };
      if (response.statusCode >= 500) {
        logger.info(fields, 'request failed');
      } else {
        logger.debug(fields, 'request');
      }
    });
    next();
  };
}

function routeOf(request: Request): string {
  const path: unknown = (request.route as { path?: unknown } | undefined)?.path;
  return typeof path === 'string' ? path : 'no route';
}
