import { describe, expect, it } from '@jest/globals';
import { describeFailure } from '@app/handlers';
import { OutboundFailed, type OutboundAnswer, type OutboundFailure, type OutboundRequest } from '@app/outbound';
import { clientWith } from '../../../../../test/support/outbound-client.js';
import { HttpRequest } from './http-request.js';

const URL = 'https://hooks.example.com/x';
const NOW = Date.parse('2026-03-01T12:00:00Z');
const LIMITS = { outboundTimeoutMaxMs: 30_000, outboundResponseMaxBytes: 65_536, resultMaxBytes: 262_144 };

function answer(status: number, body: string | Buffer = '', headers: Record<string, string> = {}): OutboundAnswer {
  return { status, body: Buffer.from(body), headers: new Map(Object.entries(headers)) };
}

describe('http.request', () => {
  let sent: OutboundRequest[] = [];
  const { signal } = new AbortController();

  function run(payload: unknown, outcome: OutboundAnswer | Error = answer(200), limits = LIMITS) {
    sent = [];
    const client = {
      request: (request: OutboundRequest) => {
        sent.push(request);
        return outcome instanceof Error ? Promise.reject(outcome) : Promise.resolve(outcome);
      },
    };
    return new HttpRequest(limits, client, { now: () => NOW, monotonic: () => 0 }).run(payload, { idempotencyToken: 'token', signal });
  }
  const failure = (...parameters: Parameters<typeof run>): Promise<unknown> =>
    run(...parameters).then((value) => ({ value }), describeFailure);

  it('fills what a task leaves open', async () => {
    expect(await run({ url: URL }, answer(200, 'grüezi\r\n'))).toEqual({ status: 200, headers: {}, body: 'grüezi\r\n', encoding: 'utf8' });
    expect(sent).toEqual([
      {
        url: URL,
        method: 'GET',
        headers: {},
        ownHeaders: { 'Idempotency-Key': 'token' },
        timeoutMs: 30_000,
        maxResponseBytes: 65_536,
        signal,
      },
    ]);
  });

  it('sends what a task says', async () => {
    await run({ url: URL, method: 'PATCH', headers: { 'X-A': 'b' }, body: 'text', maxResponseBytes: 0 });
    expect(sent).toMatchObject([{ method: 'PATCH', headers: { 'X-A': 'b' }, body: 'text', maxResponseBytes: 0 }]);
  });

  it.each([
    [null],
    [URL],
    [[URL]],
    [{}],
    [{ url: 5 }],
    [{ url: URL, timeoutMs: 5 }],
    [{ url: URL, method: 'get' }],
    [{ url: URL, method: 'CONNECT' }],
    [{ url: URL, method: 'TRACE' }],
    [{ url: URL, method: null }],
    [{ url: URL, headers: ['X-A: b'] }],
    [{ url: URL, headers: { 'X-A': 5 } }],
    [{ url: URL, headers: null }],
    [{ url: URL, body: 'x' }],
    [{ url: URL, method: 'POST', body: { a: 1 } }],
    [{ url: URL, expectStatus: 99 }],
    [{ url: URL, expectStatus: 600 }],
    [{ url: URL, expectStatus: '200' }],
    [{ url: URL, expectStatus: [] }],
    [{ url: URL, expectStatus: [200, 200.5] }],
    [{ url: URL, expectStatus: Array(33).fill(200) }],
    [{ url: URL, maxResponseBytes: -1 }],
    [{ url: URL, maxResponseBytes: 65_537 }],
    [{ url: URL, maxResponseBytes: '5' }],
  ])('refuses for good, and sends nothing for, what is not of its shape: %#', async (payload) => {
    expect(await failure(payload)).toMatchObject({ permanent: true, code: 'invalid-payload' });
    expect(sent).toEqual([]);
  });

  it.each([
    [{ url: 'http://169.254.169.254/' }, 'url-not-allowed'],
    [{ url: 'https://localhost/' }, 'url-not-allowed'],
    [{ url: URL, headers: { Host: 'x' } }, 'header-not-allowed'],
    [{ url: URL, headers: { 'Idempotency-Key': 'mine' } }, 'header-not-allowed'],
  ])('fails for good where the client refuses: %j', async (payload, code) => {
    const { client, lookUps } = clientWith({});
    const handler = new HttpRequest(LIMITS, client, { now: () => NOW, monotonic: () => 0 });
    const failed = await handler.run(payload, { idempotencyToken: 'token', signal }).then(String, describeFailure);
    expect(failed).toMatchObject({ permanent: true, code });
    expect(lookUps).toEqual([]);
  });

  it.each<[OutboundFailure, boolean]>([
    ['redirect', true],
    ['blocked-address', true],
    ['response-too-large', true],
    ['timeout', false],
    ['tls-untrusted', false],
    ['connection-failed', false],
  ])('has no answer: %s; for good: %s', async (reason, permanent) => {
    const failed = await failure({ url: URL }, new OutboundFailed(reason, new Error('connect ECONNREFUSED 10.0.0.1:443')));
    expect(failed).toMatchObject({ permanent, code: reason, retryAfterMs: null, message: expect.not.stringMatching(/ECONN|10\./) });
  });

  it('ends with the reason of its abort', async () => {
    const reason = new Error('cancelled');
    await expect(run({ url: URL }, reason)).rejects.toBe(reason);
  });

  it.each([
    [400, true],
    [401, true],
    [404, true],
    [408, false],
    [409, true],
    [425, false],
    [429, false],
    [499, true],
    [500, false],
    [502, false],
    [503, false],
    [599, false],
  ])('fails on %i; for good: %s', async (status, permanent) => {
    const failed = await failure({ url: URL }, answer(status, `  ${'why '.repeat(1_000)}`));
    expect(failed).toMatchObject({ permanent, code: `http-status-${status}`, message: expect.stringMatching(/body: why why/) });
    expect((failed as Error).message.length).toBeLessThan(1_200);
  });

  it('takes the statuses that are expected, and no others, for success', async () => {
    expect(await run({ url: URL, expectStatus: [404, 204] }, answer(404))).toMatchObject({ status: 404 });
    expect(await run({ url: URL, expectStatus: 503 }, answer(503))).toMatchObject({ status: 503 });
    expect(await failure({ url: URL, expectStatus: 201 }, answer(200))).toMatchObject({ permanent: true, code: 'http-status-200' });
  });

  it.each([
    [503, '7', 7_000],
    [429, '120', 120_000],
    [429, 'Sun, 01 Mar 2026 12:00:30 GMT', 30_000],
    [429, '99999999', 86_400_000],
    [503, 'Sun, 01 Mar 2099 12:00:30 GMT', 86_400_000],
    [503, '0', null],
    [503, 'Sun, 01 Mar 2026 11:00:00 GMT', null],
    [503, 'soon', null],
    [503, '-5', null],
    [503, '1e3', null],
    [500, '7', null],
  ])('waits as long as it is told: %i, %s', async (status, value, retryAfterMs) => {
    expect(await failure({ url: URL }, answer(status, '', { 'retry-after': value }))).toMatchObject({ permanent: false, retryAfterMs });
  });

  it('shows few headers, and a body that is no text in base64', async () => {
    const headers = { 'content-type': 'image/png', 'set-cookie': 'secret', etag: 'e'.repeat(600), server: 'nginx' };
    const bytes = Buffer.from([0x89, 0x50, 0x00, 0xff]);
    expect(await run({ url: URL }, answer(200, bytes, headers))).toEqual({
      status: 200,
      headers: { 'content-type': 'image/png', etag: 'e'.repeat(512) },
      body: bytes.toString('base64'),
      encoding: 'base64',
    });
    expect(await run({ url: URL }, answer(200, 'a\u0000b'))).toMatchObject({ encoding: 'base64' });
  });

  it.each([['"'], ['\n'], ['\u0001'], ['é'], ['\u2028'], ['😀']])('asks for no more than can be stored, were it all %j', async (unit) => {
    const resultMaxBytes = 20_000;
    await run({ url: URL }, answer(200), { ...LIMITS, resultMaxBytes });
    const [{ maxResponseBytes } = { maxResponseBytes: 0 }] = sent;
    expect(maxResponseBytes).toBeGreaterThan(5_000);
    const body = unit.repeat(Math.floor(maxResponseBytes / Buffer.byteLength(unit)));
    const headers = Object.fromEntries(
      ['content-type', 'etag', 'last-modified', 'location', 'retry-after', 'x-request-id'].map((name) => [name, 'ÿ'.repeat(900)]),
    );
    const result = await run({ url: URL }, answer(200, body, headers), { ...LIMITS, resultMaxBytes });
    expect(Buffer.byteLength(JSON.stringify(result))).toBeLessThanOrEqual(resultMaxBytes);
  });
});
