/** Every bad input gets the answer it should, in the same form, and leaves nothing behind: no row, no log line, no open door. */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApiOnStore, type ApiOnStore } from '../../support/api-on-store.js';
import { backends } from '../../support/backends.js';
import { within } from '../../support/until.js';
import { BAD_INPUTS, type BadInput } from './bad-inputs.js';

const TIGHT = { PAYLOAD_MAX_BYTES: '65536', BATCH_MAX_BYTES: '65536', BODY_KEYS_MAX: '100', BODY_VALUES_MAX: '1000' };

describe.each(backends())('a bad input on $name', (backend) => {
  let api: ApiOnStore;
  beforeAll(async () => {
    api = await startApiOnStore(backend, TIGHT);
  }, 30_000);
  afterAll(() => api.close());

  /** Status and code, or what is wrong with the form of the answer. */
  async function answerTo({ method, path, body, headers = {} }: BadInput): Promise<string> {
    const response = await fetch(`${api.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${api.token()}`, ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body) }),
    });
    const text = await response.text();
    if (!/^application\/problem\+json/.test(response.headers.get('content-type') ?? '')) return `${response.status} ${text.slice(0, 200)}`;
    const problem = JSON.parse(text) as Record<string, unknown>;
    const { type, title, status, detail, code, requestId, errors = [], ...others } = problem;
    const isWhole =
      type === `urn:task-runner-x:problem:${String(code)}` &&
      [title, detail].every((each) => typeof each === 'string' && each !== '') &&
      requestId === response.headers.get('x-request-id') &&
      Array.isArray(errors) &&
      errors.length <= 20 &&
      Object.keys(others).length === 0;
    return isWhole && status === response.status ? `${response.status} ${String(code)}` : text;
  }

  it('is one of more than three hundred', () => {
    expect(Object.values(BAD_INPUTS).flat().length).toBeGreaterThan(300);
  });

  it.each(Object.entries(BAD_INPUTS))(
    'among the %s is refused as documented, changes nothing and is not logged',
    async (_, inputs) => {
      const before = await api.rows();
      api.lines.length = 0;
      const wrong: string[] = [];
      for (const input of inputs) {
        const answer = await answerTo(input);
        if (answer !== input.answer) wrong.push(`${input.name}: ${answer} in place of ${input.answer}`);
      }
      expect(wrong).toEqual([]);
      expect(await api.rows()).toEqual(before);
      expect(api.lines.filter((line) => line.includes('canary') || /"level":"(warn|error|fatal)"/.test(line))).toEqual([]);
      expect(Object.keys(Object.prototype)).toEqual([]);
    },
    120_000,
  );

  it('in the bytes of the protocol is never routed', async () => {
    const post = 'POST /api/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
    const get = 'GET /api/tasks HTTP/1.1\r\nHost: x\r\n';
    const before = await api.rows();
    const cases: [string, string, RegExp][] = [
      ['a length and chunks', `${post}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, /^HTTP\/1\.1 400/],
      ['two lengths', `${post}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`, /^HTTP\/1\.1 400/],
      ['a list of lengths', `${post}Content-Length: 2, 2\r\n\r\n{}`, /^HTTP\/1\.1 400/],
      ['a negative length', `${post}Content-Length: -1\r\n\r\n{}`, /^HTTP\/1\.1 400/],
      ['chunks that are none', `${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`, /^(HTTP\/1\.1 4|$)/],
      ['a header of 20 kB', `${get}X-A: ${'a'.repeat(20_000)}\r\n\r\n`, /^HTTP\/1\.1 431/],
      ['2,000 headers', `${get}${Array.from({ length: 2_000 }, (_, index) => `X-${index}: aaaaaaaa\r\n`).join('')}\r\n`, /^HTTP\/1\.1 431/],
      ['a space before the colon', `${get}X-A : a\r\n\r\n`, /^HTTP\/1\.1 400/],
      ['a header that goes on below', `${get}X-A: a\r\n b\r\n\r\n`, /^HTTP\/1\.1 400/],
      ['NUL in a header', `${get}X-A: a\u0000b\r\n\r\n`, /^HTTP\/1\.1 400/],
      ['no host', 'GET /api/tasks HTTP/1.1\r\n\r\n', /^HTTP\/1\.1 400/],
      ['another protocol', 'GET /api/tasks HTCPCP/1.0\r\n\r\n', /^HTTP\/1\.1 400/],
      ['TLS', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000', /^HTTP\/1\.1 400/],
    ];
    for (const [name, bytes, expected] of cases) expect([name, await raw(api.url, bytes)]).toEqual([name, expect.stringMatching(expected)]);
    expect(await api.rows()).toEqual(before);
    expect((await fetch(`${api.url}/health/live`)).status).toBe(200);
  });

  it('of two idempotency keys is no key', async () => {
    const body = '{"name":"echo"}';
    const head = `POST /api/tasks HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${api.token()}\r\nContent-Type: application/json\r\n`;
    const answer = await raw(api.url, `${head}Idempotency-Key: a\r\nIdempotency-Key: b\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    expect(answer).toMatch(/^HTTP\/1\.1 400[^]*idempotency-key-invalid/);
  });

  it('that asks for another method by a header is a request like any other', async () => {
    for (const name of ['x-http-method-override', 'x-http-method', 'x-method-override']) {
      const response = await fetch(`${api.url}/api/tasks`, {
        method: 'GET',
        headers: { authorization: `Bearer ${api.token()}`, [name]: 'DELETE' },
      });
      expect(response.status).toBe(200);
    }
  });

  it('of a cursor from another tenant, list or filter is refused', async () => {
    const call = (path: string, tenant: string, init: RequestInit = {}): Promise<Response> =>
      fetch(`${api.url}${path}`, {
        ...init,
        headers: { authorization: `Bearer ${api.token(tenant)}`, 'content-type': 'application/json' },
      });
    const tasks = [{ name: 'echo' }, { name: 'echo' }, { name: 'echo' }];
    await call('/api/tasks/batch', 'owner', { method: 'POST', body: JSON.stringify({ tasks }) });
    const { nextCursor } = (await (await call('/api/tasks?limit=1', 'owner')).json()) as { nextCursor: string };
    expect((await call(`/api/tasks?limit=1&cursor=${nextCursor}`, 'owner')).status).toBe(200);
    const others: [string, string][] = [
      [`/api/tasks?cursor=${nextCursor}`, 'stranger'],
      [`/api/tasks?state=queued&cursor=${nextCursor}`, 'owner'],
      [`/api/dead-letters?cursor=${nextCursor}`, 'owner'],
      [`/api/bulk?cursor=${nextCursor}`, 'owner'],
      [`/api/audit?cursor=${nextCursor}`, 'owner'],
    ];
    for (const [path, tenant] of others)
      expect([path, ((await (await call(path, tenant)).json()) as { code: string }).code]).toEqual([path, 'invalid-cursor']);
  });
});

/** What the server answers to these bytes until it closes, or has said enough. */
function raw(url: string, bytes: string): Promise<string> {
  const answered = new Promise<string>((resolve, reject) => {
    let got = '';
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(bytes, 'latin1'));
    socket.on('data', (chunk) => {
      got += chunk.toString('latin1');
    });
    socket.on('close', () => {
      resolve(got);
    });
    socket.on('error', (error) => {
      if (got === '') reject(error);
    });
  });
  return within(answered, 10_000, 'an answer and the end of the connection');
}
