/** The client and the tokens of the end-to-end tests, tried on a server that says what it was asked. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import jsonwebtoken, { type JwtPayload } from 'jsonwebtoken';
import { Client, Refused } from '../support/client.js';
import { signToken, TEST_SECRET } from '../support/token.js';

const token = signToken();
const asked: { call: string; headers: IncomingMessage['headers']; body: string }[] = [];
const answers: { status: number; body: unknown }[] = [];

const server = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8').on('data', (text: string) => (body += text));
  request.once('end', () => {
    asked.push({ call: `${request.method ?? ''} ${request.url ?? ''}`, headers: request.headers, body });
    const answer = answers.shift() ?? { status: 500, body: null };
    response.writeHead(answer.status, { 'content-type': answer.status < 400 ? 'application/json' : 'application/problem+json' });
    response.end(JSON.stringify(answer.body));
  });
});

let client: Client;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  client = new Client(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, token);
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

describe('the client', () => {
  it('sends its token, JSON and the headers of a submission', async () => {
    answers.push({ status: 201, body: { id: 'x' } });
    expect(await client.submit({ name: 'echo' }, { idempotencyKey: 'k', waitSeconds: 5 })).toEqual({ id: 'x' });
    const { call, headers, body } = asked.at(-1)!;
    expect([call, body]).toEqual(['POST /api/tasks', '{"name":"echo"}']);
    expect(headers).toMatchObject({
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'idempotency-key': 'k',
      prefer: 'wait=5',
    });
  });

  it('throws the problem of a refusal', async () => {
    answers.push({ status: 409, body: { code: 'invalid-state', detail: 'It has ended.' } });
    const refusal = await client.cancel('x').catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(Refused);
    expect(refusal).toMatchObject({ status: 409, problem: { code: 'invalid-state' } });
  });

  it('reads a list to its end', async () => {
    answers.push(
      { status: 200, body: { items: [{ id: 'a' }], nextCursor: 'c' } },
      { status: 200, body: { items: [{ id: 'b' }], nextCursor: null } },
    );
    expect((await client.listAll({ state: 'queued' })).map(({ id }) => id)).toEqual(['a', 'b']);
    expect(asked.at(-1)?.call).toBe('GET /api/tasks?limit=200&state=queued&cursor=c');
  });

  it('waits for the end of a task', async () => {
    answers.push({ status: 200, body: { state: 'running' } }, { status: 200, body: { state: 'succeeded' } });
    expect(await client.finished('x')).toEqual({ state: 'succeeded' });
  });
});

describe('a token', () => {
  it('carries what it is told to', () => {
    const signed = signToken({ tenant: 'other', scope: 'admin', subject: 'me', claims: { iss: 'here', exp: undefined } });
    const claims = jsonwebtoken.verify(signed, TEST_SECRET, { algorithms: ['HS256'] }) as JwtPayload;
    expect(claims).toEqual({ sub: 'me', tenant: 'other', scope: 'admin', iss: 'here', iat: expect.any(Number) });
  });
});
