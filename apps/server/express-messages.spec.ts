import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import express, { type Express, type Request, type Response } from 'express';
import { expressMessages } from './express-messages.js';

interface Seen {
  /** As the server has made them, before Express gets them. */
  readonly born: readonly [object | null, object | null];
  /** As a route gets them. */
  readonly met: readonly [object | null, object | null];
  readonly hasIts: boolean;
  readonly answer: string;
}

const prototypes = (request: IncomingMessage, response: ServerResponse): Seen['born'] => [
  Object.getPrototypeOf(request) as object,
  Object.getPrototypeOf(response) as object,
];

async function ask(app: Express, options: Partial<ReturnType<typeof expressMessages>>): Promise<Seen> {
  let [born, met, hasIts]: [Seen['born'], Seen['met'], boolean] = [[null, null], [null, null], false];
  app.get('/here', (request: Request, response: Response) => {
    met = prototypes(request, response);
    hasIts = request.app === app && response.app === app && request.res === response;
    response.json({ query: request.query, type: request.get('x-type') });
  });
  const server = createServer(options);
  server.on('request', (request, response) => {
    born = prototypes(request, response);
    app(request as Request, response as Response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const response = await fetch(`http://127.0.0.1:${port}/here?one=1`, { headers: { 'x-type': 'own' } });
    return { born, met, hasIts, answer: await response.text() };
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

describe('the messages of an Express server', () => {
  it('are born as Express wants them, and serve as ever', async () => {
    const app = express();
    const seen = await ask(app, expressMessages(app));
    expect(seen.met[0]).toBe(seen.born[0]);
    expect(seen.met[1]).toBe(seen.born[1]);
    expect(seen).toMatchObject({ hasIts: true, answer: '{"query":{"one":"1"},"type":"own"}' });
  });

  it('would be changed by Express without it, which is what makes a request dear', async () => {
    const seen = await ask(express(), {});
    expect(seen.met[0]).not.toBe(seen.born[0]);
    expect(seen.met[1]).not.toBe(seen.born[1]);
  });

  it('keep what was added to the app’s messages before', async () => {
    const app = express();
    Object.assign(app.response, { greet: () => 'hello' });
    expressMessages(app);
    expect((app.response as Response & { greet: () => string }).greet()).toBe('hello');
  });
});
