import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startFront, type Front } from '../../../../test/support/front.js';
import { within } from '../../../../test/support/until.js';
import { readBytes } from './read-bytes.js';

let front: Front;
beforeAll(async () => {
  front = await startFront({ BATCH_MAX_BYTES: '300000' });
});
afterAll(() => front.close());
afterEach(() => {
  expect(front.tasks.submitted).toHaveLength(0);
  expect(JSON.stringify(front.lines)).not.toContain('canary');
});

const JSON_TYPE = { 'content-type': 'application/json' };

async function refusal(path: string, body: RequestInit['body'], headers: Record<string, string> = JSON_TYPE): Promise<string> {
  const response = await front.call(path, { method: 'POST', body, headers, ...(body instanceof ReadableStream ? { duplex: 'half' } : {}) });
  expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  const problem = (await response.json()) as { status: number; code: string };
  expect(problem.status).toBe(response.status);
  return `${problem.status} ${problem.code}`;
}

/** What the server writes back to these bytes, until it closes or has answered `answers` times. */
function raw(text: string, answers = 1): Promise<string> {
  const answered = new Promise<string>((resolve, reject) => {
    let got = '';
    const socket = connect(Number(new URL(front.url).port), '127.0.0.1', () => socket.write(text));
    socket.on('data', (chunk) => {
      got += chunk.toString();
      if (got.split('HTTP/1.1 ').length > answers) {
        socket.destroy();
        resolve(got);
      }
    });
    socket.on('close', () => resolve(got)).on('error', reject);
  });
  return within(answered, 5_000, 'an answer');
}

describe('bodies that cannot be read', () => {
  const deep = (depth: number) => `{"name":"echo","payload":${'['.repeat(depth)}${']'.repeat(depth)}}`;

  it.each<[string, RequestInit['body'], string]>([
    ['nothing', null, '400 malformed-json'],
    ['an empty text', '', '400 malformed-json'],
    ['white space', ' \n', '400 malformed-json'],
    ['single quotes', "{'name':'echo'}", '400 malformed-json'],
    ['a trailing comma', '{"name":"echo",}', '400 malformed-json'],
    ['a comment', '{"name":"echo"/*x*/}', '400 malformed-json'],
    ['half an object', '{"name":"echo"', '400 malformed-json'],
    ['two objects', '{"name":"echo"}{"name":"echo"}', '400 malformed-json'],
    ['NaN', '{"name":"echo","payload":NaN}', '400 malformed-json'],
    ['a raw control character', '{"name":"echo","payload":"\u0001"}', '400 malformed-json'],
    ['a byte order mark', '\ufeff{"name":"echo"}', '400 malformed-json'],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0xfe, 0x22]), '400 malformed-json'],
    ['overlong UTF-8', Buffer.from([0x22, 0xc0, 0x80, 0x22]), '400 malformed-json'],
    ['a key twice', '{"name":"echo","name":"canary"}', '400 duplicate-key'],
    ['a key twice in the payload', '{"name":"echo","payload":{"a":{"b":1,"b":2}}}', '400 duplicate-key'],
    ['__proto__', '{"name":"echo","__proto__":{"x":1}}', '422 forbidden-key'],
    ['__proto__ in the payload', '{"name":"echo","payload":[{"__proto__":{"x":1}}]}', '422 forbidden-key'],
    ['33 levels', deep(33), '422 payload-too-deep'],
    ['100,000 levels', deep(100_000), '422 payload-too-deep'],
    ['a long key', `{"name":"echo","payload":{"${'k'.repeat(100_000)}":1}}`, '422 payload-too-complex'],
    ['1e400', '{"name":"echo","payload":1e400}', '422 number-not-representable'],
    ['half a character', '{"name":"echo","payload":"\\ud800"}', '422 invalid-unicode'],
    ['a payload over the limit', JSON.stringify({ name: 'echo', payload: 'x'.repeat(262_143) }), '413 payload-too-large'],
    ['a body over the limit', `{"name":"echo"${' '.repeat(300_000)}}`, '413 payload-too-large'],
  ])('%s', async (_, body, expected) => expect(await refusal('/api/tasks', body)).toBe(expected));

  it.each<[string, Record<string, string>, string]>([
    ['text', { 'content-type': 'text/plain' }, '415 unsupported-media-type'],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }, '415 unsupported-media-type'],
    ['multipart', { 'content-type': 'multipart/form-data; boundary=x' }, '415 unsupported-media-type'],
    ['another JSON type', { 'content-type': 'application/vnd.api+json' }, '415 unsupported-media-type'],
    ['UTF-16', { 'content-type': 'application/json; charset=utf-16' }, '415 unsupported-charset'],
    ['Latin-1', { 'content-type': 'application/json;charset=iso-8859-1' }, '415 unsupported-charset'],
    ['gzip', { ...JSON_TYPE, 'content-encoding': 'gzip' }, '415 unsupported-encoding'],
  ])('%s', async (_, headers, expected) => expect(await refusal('/api/tasks', gzipSync('{"name":"echo"}'), headers)).toBe(expected));

  it('takes no notice of what a length announces falsely', async () => {
    const chunks = new ReadableStream({
      start(controller) {
        controller.enqueue(Buffer.from(`{"name":"echo","payload":"${'x'.repeat(290_000)}`));
        controller.enqueue(Buffer.from('canary"}'));
        controller.close();
      },
    });
    expect(await refusal('/api/tasks', chunks)).toBe('413 payload-too-large');
    expect(await refusal('/api/tasks/batch', `{"tasks":["${'x'.repeat(300_000)}"]}`)).toBe('413 payload-too-large');
  });

  it('answers a body that ends early, and a connection that goes on after a refusal', async () => {
    const head = (length: number) =>
      `POST /api/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${front.token()}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
    const twice = await raw(`${head(300_000)}${' '.repeat(300_000)}${head(2)}{}`, 2);
    expect(twice.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 413', 'HTTP/1.1 422']);
  });

  it('never routes two lengths, or a length and chunks', async () => {
    const both = 'POST /api/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
    const two = 'POST /api/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}';
    expect(await raw(both)).toMatch(/^HTTP\/1\.1 400/);
    expect(await raw(two)).toMatch(/^HTTP\/1\.1 400/);
    expect(await raw(`GET /api/tasks HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431/);
  });

  it('does not read the body of somebody without a token', async () => {
    const answer = await raw('POST /api/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{');
    expect(answer).toMatch(/^HTTP\/1\.1 401/);
  });
});

describe('calls with or without a body', () => {
  const id = '0190a8f0-0000-7000-8000-000000000000';

  it.each<[string | null, string]>([
    [null, '404 not-found'],
    ['', '404 not-found'],
    ['{}', '404 not-found'],
    ['{"reason":"x"}', '404 not-found'],
    ['{"reason":""}', '422 validation-failed'],
    ['[]', '422 validation-failed'],
    ['null', '422 validation-failed'],
    ['{', '400 malformed-json'],
    ['x'.repeat(20_000), '413 payload-too-large'],
  ])('%j', async (body, expected) => expect(await refusal(`/api/tasks/${id}/cancel`, body)).toBe(expected));

  it('take it as JSON only', async () => {
    const headers = { 'content-type': 'text/plain' };
    const response = await front.call(`/api/tasks/${id}/cancel`, { method: 'POST', headers, body: '{"reason":"x"}' });
    expect([response.status, await response.json()]).toEqual([415, expect.objectContaining({ code: 'unsupported-media-type' })]);
  });
});

describe('readBytes', () => {
  const pending = (): PassThrough & IncomingMessage =>
    Object.assign(new PassThrough(), { headers: {} }) as unknown as PassThrough & IncomingMessage;

  it('gives up at the deadline', async () => {
    const request = pending();
    request.write('{');
    await expect(readBytes(request, { maxBytes: 10, deadlineMs: 5 })).rejects.toMatchObject({ status: 408 });
  });

  it('refuses what the client left half way', async () => {
    const request = pending();
    const reading = readBytes(request, { maxBytes: 10, deadlineMs: 5_000 });
    request.destroy(new Error('reset'));
    await expect(reading).rejects.toMatchObject({ code: 'malformed-json' });
  });

  /** What a server reads after some turns of its guards, and how many listened for it; two requests on one connection. */
  async function readByServer(body: string): Promise<{ text: string; listeners: number; sockets: number }[]> {
    const seen: { text: string; listeners: number; sockets: number }[] = [];
    const sockets = new Set<unknown>();
    const server = createServer((request, response) => {
      sockets.add(request.socket);
      void (async () => {
        for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
        const reading = readBytes(request, { maxBytes: 1_000_000, deadlineMs: 5_000 });
        const listeners = request.listenerCount('data');
        seen.push({ text: (await reading).toString(), listeners, sockets: sockets.size });
        response.end();
      })();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const head = `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`;
    const socket = connect(port, '127.0.0.1');
    try {
      for (let answer = 1; answer <= 2; answer += 1) {
        const answered = once(socket, 'data');
        socket.write(head + body);
        await within(answered, 5_000, 'an answer');
      }
    } finally {
      socket.destroy();
      server.close();
    }
    return seen;
  }

  it('takes what has come with the headers at once, and the connection can be used again', async () => {
    const expected = { text: '{"a":1}', listeners: 0, sockets: 1 };
    expect(await readByServer('{"a":1}')).toEqual([expected, expected]);
  });

  it('waits for what has not come yet', async () => {
    const long = `"${'x'.repeat(500_000)}"`;
    const expected = { text: long, listeners: 1, sockets: 1 };
    expect(await readByServer(long)).toEqual([expected, expected]);
  });

  it('takes nothing from a client that has gone, and does not wait for the deadline', async () => {
    const request = Object.assign(pending(), { headers: { 'content-length': '7' } });
    request.write('{"a":1}');
    request.destroy();
    await expect(readBytes(request, { maxBytes: 10, deadlineMs: 600_000 })).rejects.toMatchObject({ code: 'malformed-json' });
  });

  it('lets the rest of a refused body run out', async () => {
    const request = pending();
    const reading = readBytes(request, { maxBytes: 3, deadlineMs: 5_000 });
    request.write('1234');
    await expect(reading).rejects.toMatchObject({ code: 'payload-too-large' });
    const ended = new Promise((resolve) => request.once('end', resolve));
    request.end('more');
    await within(ended, 1_000, 'the body to run out');
  });
});
