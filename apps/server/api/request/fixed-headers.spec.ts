import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import type { Request, RequestHandler, Response } from 'express';
import helmet, { type HelmetOptions } from 'helmet';
import { fixedHeaders } from './fixed-headers.js';

async function sentBy(handler: RequestHandler): Promise<[string, string][]> {
  const listener: RequestListener = (request, response) => {
    void handler(request as Request, response as Response, () => response.end());
  };
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { headers } = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    return [...headers].filter(([name]) => name !== 'date');
  } finally {
    server.close();
  }
}

describe('fixed headers', () => {
  it.each<[string, HelmetOptions]>([
    ['by default', {}],
    [
      'with a policy and without HSTS',
      { contentSecurityPolicy: { directives: { defaultSrc: ["'none'"] } }, strictTransportSecurity: false },
    ],
  ])('are those of helmet %s', async (_what, options) => {
    const sent = await sentBy(fixedHeaders(options));
    expect(sent).toEqual(await sentBy(helmet(options) as RequestHandler));
    expect(sent.length).toBeGreaterThan(10);
  });

  it.each<[string, (request: IncomingMessage & { secure?: boolean }) => string]>([
    ['look at the request', ({ headers }) => headers.host ?? 'none.example'],
    ['do so in secret', ({ secure }) => (secure === true ? 'https:' : 'http:')],
    ['ask whether something is there', (request) => ('host' in request ? 'https:' : 'http:')],
    ['say something else each time', () => `'nonce-${randomUUID()}'`],
  ])('cannot come from options that %s', (_what, source) => {
    expect(() => fixedHeaders({ contentSecurityPolicy: { directives: { defaultSrc: ["'self'", source] } } })).toThrow('not the same');
  });
});
