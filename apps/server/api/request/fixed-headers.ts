/**
 * Sends the headers that helmet decides on, which are the same in every answer. helmet goes through a dozen steps of its own for them,
 * for each request; here it is asked once, at the start, and what it has said is repeated.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import helmet, { type HelmetOptions } from 'helmet';
import type { Step } from './in-order.js';

/** @throws Error where the options make headers from the request, or others each time */
export function fixedHeaders(options: HelmetOptions): Step {
  const headers = headersOf(options);
  if (JSON.stringify(headers) !== JSON.stringify(headersOf(options))) throw notFixed('they differ each time');
  return (_request, response, next) => {
    for (const [name, value] of headers) response.setHeader(name, value);
    next();
  };
}

function headersOf(options: HelmetOptions): [string, string][] {
  const headers: [string, string][] = [];
  let isDone = false;
  const request = nothingBut({}) as IncomingMessage;
  const response = nothingBut({
    setHeader: (name: string, value: unknown) => headers.push([name, String(value)]),
    // What helmet takes away is not sent here in the first place.
    removeHeader: () => undefined,
  }) as ServerResponse;
  helmet(options)(request, response, (error) => {
    if (error instanceof Error) throw error;
    isDone = true;
  });
  if (!isDone) throw notFixed('helmet waits for something');
  return headers;
}

/** Options that look at anything else end in an error, at the start. */
function nothingBut(known: object): object {
  const refuse = (name: string | symbol): never => {
    throw notFixed(`they depend on "${String(name)}"`);
  };
  return new Proxy(known, {
    get: (target, name): unknown => (Object.hasOwn(target, name) ? Reflect.get(target, name) : refuse(name)),
    has: (_target, name) => refuse(name),
    ownKeys: () => refuse('all of them'),
  });
}

const notFixed = (why: string): Error => new Error(`The security headers are not the same for every request: ${why}.`);
