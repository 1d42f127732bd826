/** What browsers are told, and who gets the documents. */
import { request as httpRequest } from 'node:http';
import { afterEach, describe, expect, it } from '@jest/globals';
import { startFront, type Front } from '../../../test/support/front.js';

const SERVERS = { DATABASE_URL: 'mysql://u:p@localhost/never-opened', REDIS_URL: 'redis://localhost' };
const LISTED = 'https://console.example';

let front: Front | undefined;
afterEach(async () => {
  await front?.close();
  front = undefined;
});

async function started(environment: Record<string, string> = {}): Promise<Front> {
  front = await startFront(environment);
  return front;
}

/** `fetch` keeps some of these headers to itself. */
function raw(
  url: string,
  method: string,
  headers: Record<string, string | string[]>,
): Promise<{ status: number; headers: NodeJS.Dict<string | string[]> }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers }, (response) => {
      response.resume().on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers }));
    });
    request.on('error', reject).end();
  });
}

const corsOf = (headers: NodeJS.Dict<string | string[]>): string[] =>
  Object.keys(headers).filter((name) => name.startsWith('access-control-'));

/** What a page that is not in the list may call itself. */
const TRICKS = [
  'null',
  '*',
  'https://evil.example',
  'http://console.example',
  'https://console.example.evil.example',
  'https://evilconsole.example',
  'https://evil.example/https://console.example',
  'https://console.example:8443',
  'https://console.example:443',
  'https://console.example/',
  'https://CONSOLE.example',
  'https://console.example, https://evil.example',
  'https://console.example@evil.example',
  'https://console_example',
];

describe('pages of other origins', () => {
  it('may do nothing where no origin is listed', async () => {
    const { url } = await started();
    for (const origin of [LISTED, ...TRICKS]) {
      const { headers } = await raw(`${url}/api/tasks`, 'GET', { origin });
      expect(corsOf(headers)).toEqual([]);
    }
    const preflight = await raw(`${url}/api/tasks`, 'OPTIONS', { origin: LISTED, 'access-control-request-method': 'POST' });
    expect(corsOf(preflight.headers)).toEqual([]);
    expect(preflight.status).toBeGreaterThanOrEqual(400);
  });

  it('may call where theirs is listed, without cookies, and caches are told to keep the answers apart', async () => {
    const { url } = await started({ CORS_ORIGINS: `https://other.example,${LISTED}` });
    const preflight = await raw(`${url}/api/tasks`, 'OPTIONS', { origin: LISTED, 'access-control-request-method': 'POST' });
    expect(preflight.status).toBe(204);
    expect(preflight.headers['access-control-allow-origin']).toBe(LISTED);
    expect(preflight.headers['access-control-allow-headers']).toContain('Authorization');
    const { status, headers } = await raw(`${url}/api/tasks`, 'GET', { origin: LISTED });
    expect(status).toBe(401);
    expect(headers['access-control-allow-origin']).toBe(LISTED);
    expect(headers['access-control-allow-credentials']).toBeUndefined();
    expect(headers['access-control-expose-headers']).toContain('Retry-After');
    expect(headers['vary']).toContain('Origin');
  });

  it.each(TRICKS)('may not call themselves %j', async (origin) => {
    const { url } = await started({ CORS_ORIGINS: LISTED });
    for (const method of ['GET', 'OPTIONS']) {
      const { headers } = await raw(`${url}/api/tasks`, method, { origin, 'access-control-request-method': 'POST' });
      expect(headers['access-control-allow-origin']).toBeUndefined();
      expect(headers['vary']).toContain('Origin');
    }
  });
});

describe('browsers', () => {
  it('are not told to insist on HTTPS by an api that does not know whether there is any', async () => {
    const { headers } = await (await started()).call('/api/queues');
    expect(headers.get('strict-transport-security')).toBeNull();
  });

  it('are told to insist on HTTPS where the operator says so', async () => {
    const { headers } = await (await started({ HSTS_SECONDS: '31536000' })).call('/api/queues');
    expect(headers.get('strict-transport-security')).toBe('max-age=31536000');
  });

  it('are told to show, frame, guess and cache nothing', async () => {
    const { headers } = await (await started()).call('/api/queues');
    const told = Object.fromEntries(headers);
    expect(told).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none';frame-ancestors 'none'",
    });
    expect(told['set-cookie']).toBeUndefined();
  });

  it('are told with a page what does not concern data', async () => {
    const { call } = await started();
    const forPages = {
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'origin-agent-cluster': '?1',
      'x-dns-prefetch-control': 'off',
      'x-download-options': 'noopen',
      'x-permitted-cross-domain-policies': 'none',
      'x-xss-protection': '0',
    };
    const data = Object.fromEntries((await call('/api/queues')).headers);
    for (const name of Object.keys(forPages)) expect(data).not.toHaveProperty(name);
    for (const path of ['/docs', '/docs/', '/docs/nothing']) {
      const page = Object.fromEntries((await call(path)).headers);
      expect(page).toMatchObject({ ...forPages, 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY' });
      expect(page['content-security-policy']).toContain("default-src 'self'");
      expect(page['content-security-policy']).toContain("frame-ancestors 'none'");
    }
  });
});

describe('the documents', () => {
  it.each<[string, Record<string, string>, number]>([
    ['are shown by an embedded start', {}, 200],
    ['are shown by an api on servers', SERVERS, 200],
    ['are not shown in production', { ...SERVERS, NODE_ENV: 'production' }, 404],
    ['are shown in production where they are switched on', { ...SERVERS, NODE_ENV: 'production', API_DOCS: 'on' }, 200],
    ['are not shown where they are switched off', { API_DOCS: 'off' }, 404],
  ])('%s', async (_what, environment, status) => {
    const { url } = await started(environment);
    for (const path of ['/openapi.json', '/docs']) {
      const answer = await fetch(`${url}${path}`, { redirect: 'follow' });
      expect(answer.status).toBe(status);
      await answer.arrayBuffer();
    }
  });
});

describe('the head of a request', () => {
  it('with more lines than are accepted is refused, not shortened', async () => {
    const { url, token } = await started({ HTTP_MAX_HEADERS: '20' });
    const many = (count: number): Record<string, string> => ({
      authorization: `Bearer ${token()}`,
      ...Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-filler-${index}`, '1'])),
    });
    // Node.js adds Host and Connection.
    expect((await raw(`${url}/api/queues`, 'GET', many(17))).status).toBe(200);
    const refused = await raw(`${url}/api/queues`, 'GET', many(18));
    expect(refused.status).toBe(431);
    expect(refused.headers['content-type']).toContain('application/problem+json');
  });
});
