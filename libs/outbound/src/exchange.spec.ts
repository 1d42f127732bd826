/** What the other side may do with a request that was allowed: nothing, slowly, without end, wrongly. */
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from '@jest/globals';
import { loadConfig, type Environment } from '@app/config';
import { HookServer, type Answering } from '../../../test/support/hook-server.js';
import { clientWith } from '../../../test/support/outbound-client.js';
import { until } from '../../../test/support/until.js';
import { OutboundClient, type OutboundRequest } from './outbound-client.js';
import { OwnHosts } from './own-hosts.js';

const HEAD = 'HTTP/1.1 200 OK\r\n';

describe('a request that is allowed', () => {
  let server: HookServer;
  afterEach(async () => {
    await until(() => server.open === 0, { what: 'the client to close its connection' });
    await server.close();
  });

  function ask(more: Partial<OutboundRequest> = {}, env: Environment = {}) {
    const ports = { OUTBOUND_HTTP: 'allow', OUTBOUND_PORTS: String(server.port), OUTBOUND_ALLOW: '127.0.0.2' };
    const { client } = clientWith({ ...ports, ...env });
    const url = `http://127.0.0.2:${server.port}/path?q=1`;
    return client.request({ url, method: 'GET', timeoutMs: 10_000, maxResponseBytes: 1_000, ...more });
  }
  const answering = async (answer: Answering): Promise<void> => {
    server = await HookServer.http('127.0.0.2', answer);
  };
  const speaking = async (speak: (socket: Socket) => void): Promise<void> => {
    server = await HookServer.raw('127.0.0.2', speak);
  };

  it('arrives as it was meant, with our headers last, and is never asked to be compressed', async () => {
    await answering((_request, response) => response.writeHead(201, { 'X-Two': ['a', 'b'], 'Set-Cookie': ['c=1', 'd=2'] }).end('grüezi'));
    const answer = await ask({
      method: 'POST',
      body: '{"a":1}',
      headers: { 'Content-Type': 'application/json', 'X-Mine': 'yes', Authorization: 'Bearer abc' },
      ownHeaders: { 'X-Mine': 'ours', 'Idempotency-Key': 'k' },
    });
    expect(answer.status).toBe(201);
    expect(answer.body.toString()).toBe('grüezi');
    expect(answer.headers.get('x-two')).toBe('a, b');
    expect(answer.headers.get('set-cookie')).toBe('c=1, d=2');
    expect(server.seen).toEqual([
      {
        method: 'POST',
        url: '/path?q=1',
        body: '{"a":1}',
        headers: {
          'content-type': 'application/json',
          'x-mine': 'ours',
          authorization: 'Bearer abc',
          'idempotency-key': 'k',
          'user-agent': 'task-runner-x',
          'content-length': '7',
          'accept-encoding': 'identity',
          host: `127.0.0.2:${server.port}`,
          connection: 'close',
        },
      },
    ]);
  });

  it.each([200, 204, 304, 400, 404, 429, 500, 503])('brings the answer whatever its status is: %i', async (status) => {
    await answering((_request, response) => response.writeHead(status).end());
    expect(await ask({ method: 'DELETE' })).toMatchObject({ status });
  });

  it('has a connection of its own', async () => {
    await answering((_request, response) => response.end('ok'));
    for (let count = 1; count <= 3; count += 1) {
      await ask();
      expect(server.connections).toBe(count);
    }
  });

  it.each([
    [300, 'http://127.0.0.2/'],
    [301, 'http://169.254.169.254/'],
    [302, 'file:///etc/passwd'],
    [303, '//127.0.0.1/'],
    [305, 'http://127.0.0.1:3306/'],
    [307, '/path?q=1'],
    [308, 'https://hooks.example.com/'],
    [399, ''],
  ])('does not follow a redirect: %i to %s', async (status, location) => {
    await answering((_request, response) => response.writeHead(status, { Location: location }).end());
    await expect(ask()).rejects.toMatchObject({ code: 'outbound-failed', reason: 'redirect' });
    expect(server.connections).toBe(1);
  });

  it('gets a compressed body as it is', async () => {
    const bomb = gzipSync(Buffer.alloc(500_000));
    await answering((_request, response) => response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(bomb));
    const { body, headers } = await ask();
    expect(headers.get('content-encoding')).toBe('gzip');
    expect(body.equals(bomb)).toBe(true);
  });

  it('may have a body of just the size that was asked for, and no larger', async () => {
    await answering((_request, response) => response.end(Buffer.alloc(1_000)));
    expect((await ask()).body).toHaveLength(1_000);
    await expect(ask({ maxResponseBytes: 999 })).rejects.toMatchObject({ reason: 'response-too-large' });
    expect((await ask({ method: 'HEAD', maxResponseBytes: 0 })).body).toHaveLength(0);
    await expect(ask({ maxResponseBytes: 1_000_000 }, { OUTBOUND_RESPONSE_MAX_BYTES: '1024' })).resolves.toMatchObject({ status: 200 });
  });

  it('is bounded by the operator, whatever was asked for', async () => {
    await answering((_request, response) => response.end(Buffer.alloc(1_025)));
    const env = { OUTBOUND_RESPONSE_MAX_BYTES: '1024' };
    await expect(ask({ maxResponseBytes: 1_000_000 }, env)).rejects.toMatchObject({ reason: 'response-too-large' });
  });

  it('stops reading a body without end', async () => {
    let written = 0;
    await answering((_request, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(16_384))) written += 16_384;
      };
      response.on('drain', more);
      more();
    });
    await expect(ask({ maxResponseBytes: 60_000 })).rejects.toMatchObject({ reason: 'response-too-large' });
    await until(() => server.open === 0);
    expect(written).toBeLessThan(50_000_000);
  });

  it.each([
    ['headers without end', (socket: Socket) => socket.write(`${HEAD}${'X-A: bbbbbbbbbbbbbbbb\r\n'.repeat(1_000)}`)],
    ['one header of 17 kB', (socket: Socket) => socket.write(`${HEAD}X-A: ${'b'.repeat(17_000)}\r\n\r\n`)],
  ])('has room for 16 kB of headers: %s', async (_, speak) => {
    await speaking((socket) => void speak(socket));
    await expect(ask()).rejects.toMatchObject({ reason: 'response-too-large' });
  });

  it.each<[string, string]>([
    ['no HTTP', 'SSH-2.0-OpenSSH_9.0\r\n'],
    ['two lengths', `${HEAD}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx`],
    ['a length and chunks', `${HEAD}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['a chunk of a size that is none', `${HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n`],
    ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'],
    ['a line that ends too early', `${HEAD}X-A: b\nX-B: c\r\n\x01: d\r\n\r\n`],
  ])('fails where the answer is %s', async (_, text) => {
    await speaking((socket) => socket.end(text));
    await expect(ask()).rejects.toMatchObject({ reason: 'connection-failed' });
  });

  it.each<[string, (socket: Socket) => void]>([
    ['at once', (socket) => socket.destroy()],
    ['with a reset', (socket) => socket.resetAndDestroy()],
    ['in the middle of the headers', (socket) => socket.end('HTTP/1.1 200 OK\r\nX-A')],
    ['in the middle of the body', (socket) => socket.end(`${HEAD}Content-Length: 100\r\n\r\nhalf`)],
    ['in the middle of a chunk', (socket) => socket.end(`${HEAD}Transfer-Encoding: chunked\r\n\r\nff\r\nhalf`)],
  ])('fails where the connection ends %s', async (_, speak) => {
    await speaking(speak);
    const error: unknown = await ask().catch((e: unknown) => e);
    expect(error).toMatchObject({ reason: 'connection-failed', cause: expect.anything() });
    expect((error as Error).message).not.toMatch(/ECONN|127|hang up|aborted/i);
  });

  it('fails where nobody listens', async () => {
    const gone = await HookServer.raw('127.0.0.2');
    const { port } = gone;
    await gone.close();
    await speaking(() => undefined);
    const error: unknown = await ask({ url: `http://127.0.0.2:${port}/` }, { OUTBOUND_PORTS: String(port) }).catch((e: unknown) => e);
    expect(error).toMatchObject({ reason: 'connection-failed', cause: { code: 'ECONNREFUSED' } });
    expect((error as Error).message).not.toMatch(/ECONN|127/);
  });

  it.each<[string, (socket: Socket) => void]>([
    ['no word', () => undefined],
    ['headers one letter at a time', (socket) => trickle(socket, HEAD, 'X')],
    ['preliminary answers without end', (socket) => trickle(socket, '', 'HTTP/1.1 103 Early Hints\r\n\r\n')],
  ])('has until its first deadline for the headers: %s', async (_, speak) => {
    await speaking(speak);
    await expect(ask({}, { OUTBOUND_CONNECT_TIMEOUT_MS: '200' })).rejects.toMatchObject({ code: 'outbound-failed', reason: 'timeout' });
  });

  it.each<[string, Partial<OutboundRequest>, Environment]>([
    ['that it asks for', { timeoutMs: 200 }, {}],
    ['of the operator', {}, { OUTBOUND_TIMEOUT_MAX_MS: '200' }],
  ])('has until the deadline %s for its body, however lively that is', async (_, more, env) => {
    await speaking((socket) => trickle(socket, `${HEAD}Content-Length: 900\r\n\r\n`, 'x'));
    await expect(ask(more, env)).rejects.toMatchObject({ reason: 'timeout' });
  });

  it('may take longer for its body than for its headers', async () => {
    await answering((_request, response) => {
      response.writeHead(200).flushHeaders();
      setTimeout(() => response.end('late'), 400);
    });
    expect(await ask({}, { OUTBOUND_CONNECT_TIMEOUT_MS: '300' })).toMatchObject({ body: Buffer.from('late') });
  });

  it('ends with the reason of the abort, before it is sent and while it is answered', async () => {
    const controller = new AbortController();
    const reason = new Error('cancelled');
    await answering((_request, response) => {
      response.writeHead(200).flushHeaders();
      controller.abort(reason);
    });
    await expect(ask({ signal: controller.signal })).rejects.toBe(reason);
    expect(server.connections).toBe(1);
    await expect(ask({ signal: controller.signal })).rejects.toBe(reason);
    expect(server.connections).toBe(1);
  });

  it('does not wait for a name server longer than for anything else', async () => {
    await speaking(() => undefined);
    const config = loadConfig({ OUTBOUND_CONNECT_TIMEOUT_MS: '100' });
    const client = new OutboundClient(
      config,
      new OwnHosts(config, { now: () => 0, monotonic: () => 0 }),
      () => new Promise(() => undefined),
    );
    const request = client.request({ url: 'https://hooks.example.com/', method: 'GET', timeoutMs: 10_000, maxResponseBytes: 10 });
    await expect(request).rejects.toMatchObject({ reason: 'timeout' });
  });
});

/** Sends a beginning, and then the same again every few ms for as long as somebody listens. */
function trickle(socket: Socket, beginning: string, again: string): void {
  socket.write(beginning);
  const timer = setInterval(() => socket.write(again), 10);
  socket.on('close', () => {
    clearInterval(timer);
  });
}
