/** Clients that take their time, on raw sockets: whatever they make the server wait for ends. */
import { connect, type Socket } from 'node:net';
import { Controller, Get, Module, Post, Req } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Request } from 'express';
import { loadConfig } from '@app/config';
import { until } from '../../test/support/until.js';
import { BoundedAdapter, httpLimits, type HttpLimits } from './bounded-adapter.js';

@Controller()
class Plain {
  @Get()
  show(): string {
    return 'here';
  }

  @Get('large')
  large(): string {
    return 'x'.repeat(16 * 1_048_576);
  }

  @Post()
  async take(@Req() request: Request): Promise<string> {
    let size = 0;
    for await (const chunk of request) size += (chunk as Buffer).length;
    return String(size);
  }
}

@Module({ controllers: [Plain] })
class PlainModule {}

const SHORT: HttpLimits = {
  headersMs: 400,
  requestMs: 800,
  keepAliveMs: 400,
  stalledMs: 60_000,
  checkMs: 50,
  headerBytesMax: 4_096,
  headersMax: 20,
  connectionsMax: 50,
  requestsPerConnection: 3,
};

/** A connection, with what it was told and whether it is over. */
class Client {
  text = '';
  closed = false;
  readonly socket: Socket;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setEncoding('utf8').on('data', (chunk: string) => (this.text += chunk));
    this.socket.on('error', () => undefined).on('close', () => (this.closed = true));
  }

  send(text: string): void {
    this.socket.write(text);
  }

  async over(): Promise<string> {
    await until(() => this.closed, { deadlineMs: 15_000, what: 'the server to end the connection' });
    return this.text;
  }
}

describe('the HTTP server', () => {
  let app: NestExpressApplication | undefined;
  let turnedAway = 0;
  const clients: Client[] = [];
  afterEach(async () => {
    for (const { socket } of clients.splice(0)) socket.destroy();
    await app?.close();
  });

  async function start(limits: Partial<HttpLimits> = {}): Promise<() => Client> {
    turnedAway = 0;
    const adapter = new BoundedAdapter({ ...SHORT, ...limits }, () => (turnedAway += 1));
    app = await NestFactory.create<NestExpressApplication>(PlainModule, adapter, { logger: false, bodyParser: false });
    await app.listen(0, '127.0.0.1');
    const { port } = new URL(await app.getUrl());
    return () => {
      const client = new Client(Number(port));
      clients.push(client);
      return client;
    };
  }

  it('makes requests and responses that Express need not change', async () => {
    const open = await start();
    const express = app!.getHttpAdapter().getInstance();
    const born: (object | null)[] = [];
    app!.getHttpServer().prependListener('request', (...pair: object[]) => {
      born.push(...pair.map((one) => Object.getPrototypeOf(one) as object));
    });
    const client = open();
    client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(await client.over()).toMatch(/^HTTP\/1\.1 200 /);
    expect(born[0] === express.request && born[1] === express.response).toBe(true);
  });

  it('ends a connection that says nothing', async () => {
    const open = await start();
    expect(await open().over()).toMatch(/^(HTTP\/1\.1 408 |$)/);
  });

  it('ends a head that never ends, however steadily it comes', async () => {
    const open = await start();
    const client = open();
    client.send('GET / HTTP/1.1\r\nHost: a\r\n');
    const drip = setInterval(() => client.send('X-A: b\r\n'), 100);
    try {
      expect(await client.over()).toMatch(/^HTTP\/1\.1 408 /);
    } finally {
      clearInterval(drip);
    }
  });

  it('ends a body that never ends', async () => {
    const open = await start();
    const client = open();
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n');
    const drip = setInterval(() => client.send('x'), 100);
    try {
      expect(await client.over()).toMatch(/^HTTP\/1\.1 (408|400) |^$/);
    } finally {
      clearInterval(drip);
    }
  });

  it('ends a connection that idles after its request', async () => {
    const open = await start();
    const client = open();
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await client.over()).toMatch(/^HTTP\/1\.1 200 [^]*here/);
    expect(client.text).not.toContain(' 408 ');
  });

  it('starts the clock of a head with the head, not with the silence before it', async () => {
    const headersMs = 300;
    const open = await start({ headersMs, keepAliveMs: 60_000 });
    const client = open();
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => client.text.includes('here'), { what: 'the first answer' });
    await new Promise((resolve) => setTimeout(resolve, 2 * headersMs));
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => client.text.match(/here/g)?.length === 2, { what: 'the second answer' });
  });

  it('ends a connection whose client does not take its answer', async () => {
    const open = await start({ stalledMs: 500, keepAliveMs: 60_000 });
    const client = open();
    client.socket.pause();
    client.send('GET /large HTTP/1.1\r\nHost: a\r\n\r\n');
    const server = app?.getHttpServer() as { getConnections(done: (error: unknown, count: number) => void): void };
    const count = (): Promise<number> => new Promise((resolve) => server.getConnections((_error, found) => resolve(found)));
    await until(async () => (await count()) === 1, { what: 'the connection' });
    await until(async () => (await count()) === 0, { deadlineMs: 15_000, what: 'the server to give the client up' });
  });

  it('refuses a head of more bytes than it takes', async () => {
    const open = await start();
    const client = open();
    client.send(`GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${'x'.repeat(5_000)}\r\n\r\n`);
    expect(await client.over()).toMatch(/^HTTP\/1\.1 431 /);
  });

  it.each([
    ['two lengths that differ', 'Content-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    ['a length and chunks', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a line break in a header', 'X-A: b\r\n c\u0000d\r\n\r\n'],
    ['a length that is no number', 'Content-Length: +5\r\n\r\nabcde'],
  ])('refuses %s and ends the connection', async (_what, rest) => {
    const open = await start();
    const client = open();
    client.send(`POST / HTTP/1.1\r\nHost: a\r\n${rest}`);
    expect(await client.over()).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('refuses a request without a host', async () => {
    const open = await start();
    const client = open();
    client.send('GET / HTTP/1.1\r\n\r\n');
    expect(await client.over()).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('tells a client to open another connection after as many requests as one takes, and takes no more', async () => {
    const open = await start({ keepAliveMs: 60_000 });
    const client = open();
    for (let count = 1; count <= 3; count += 1) {
      expect(client.text).not.toContain('Connection: close');
      client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      await until(() => client.text.match(/here/g)?.length === count, { what: `answer ${count}` });
    }
    expect(client.text).toContain('Connection: close');
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => client.text.includes('HTTP/1.1 503 '), { what: 'the refusal of the fourth' });
  });

  it('turns away whoever comes when it is full, and serves again when there is room', async () => {
    const open = await start({ connectionsMax: 2, keepAliveMs: 60_000, headersMs: 50_000, requestMs: 60_000 });
    const [first, second] = [open(), open()];
    for (const client of [first, second]) client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => [first, second].every((client) => client.text.includes('here')), { what: 'two answers' });
    const third = open();
    third.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await third.over()).toBe('');
    expect(turnedAway).toBe(1);
    first.socket.destroy();
    await until(
      async () => {
        const next = open();
        next.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
        return (await next.over()).includes('here');
      },
      { what: 'an answer when there is room' },
    );
  });

  it('says nothing of what it is made with', async () => {
    const open = await start();
    const client = open();
    client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(await client.over()).not.toMatch(/x-powered-by|express|nest|server:/i);
  });

  it('takes its limits from the configuration, and their defaults stop slow clients within a minute', () => {
    const limits = httpLimits(loadConfig({}));
    expect(limits).toEqual({
      headersMs: 20_000,
      requestMs: 60_000,
      keepAliveMs: 10_000,
      stalledMs: 120_000,
      checkMs: 2_000,
      headerBytesMax: 16_384,
      headersMax: 100,
      connectionsMax: 10_000,
      requestsPerConnection: 10_000,
    });
  });
});
