/**
 * Sends the headers that helmet decides on, which are the same in every answer. helmet goes through a dozen steps of its own for them,
 * for each request; here it is asked once, at the start, and what it has said is repeated.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import helmet, { type HelmetOptions } from 'helmet';

/** @throws Error where the options do not do, or do not give the same headers to everybody */
export function fixedHeaders(options: HelmetOptions): RequestHandler {
  const headers = headersOf(options);
  return (_request: Request, response: Response, next: NextFunction): void => {
    for (const [name, value] of headers) response.setHeader(name, value);
    next();
  };
}

function headersOf(options: HelmetOptions): [string, string][] {
  const headers: [string, string][] = [];
  const recorder: Pick<ServerResponse, 'setHeader' | 'removeHeader'> = {
    setHeader(name, value) {
      headers.push([name, String(value)]);
      return this as ServerResponse;
    },
    // What helmet takes away is not sent here in the first place.
    removeHeader: () => undefined,
  };
  let isDone = false;
  // Nothing of a request is there to be looked at: options that depend on one end in an error here, at the start.
  helmet(options)({} as IncomingMessage, recorder as ServerResponse, (error) => {
    if (error instanceof Error) throw error;
    isDone = true;
  });
  if (!isDone) throw new Error('The security headers are not fixed: helmet waits for something.');
  return headers;
}
