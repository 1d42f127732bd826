import { connect } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Environment } from '@app/config';
import { startFront, type Front } from '../../../test/support/front.js';

let front: Front;
afterEach(() => front.close());

async function start(environment: Environment = {}): Promise<void> {
  front = await startFront(environment);
}

function limit(tenant: string, perMinute: number, burst: number): void {
  front.tenantRates.set(tenant, { 'requests.perMinute': perMinute, 'requests.burst': burst });
}

async function codeOf(response: Response): Promise<string> {
  const { code = 'ok' } = (await response.json()) as { code?: string };
  return `${response.status} ${code}`;
}

const badToken = (): string => `Bearer ${front.token().split('.').slice(0, 2).join('.')}.AAAA`;
const guess = async (headers: Record<string, string> = {}): Promise<string> =>
  codeOf(await fetch(`${front.url}/api/tasks`, { headers: { authorization: badToken(), ...headers } }));

/** How often the answer was this one. */
async function count(times: number, expected: string, ask: (index: number) => Promise<string>): Promise<number> {
  let found = 0;
  for (let index = 0; index < times; index += 1) if ((await ask(index)) === expected) found += 1;
  return found;
}

describe('the rate of a tenant', () => {
  it('is told with every answer, and beyond it is 429 with a time to come back', async () => {
    await start({ RATE_CREDENTIAL_PERCENT: '100' });
    limit('t1', 30, 3);
    const first = await front.call('/api/tasks');
    expect(first.headers.get('ratelimit-policy')).toBe('"credential";q=30;w=60, "tenant";q=30;w=60');
    expect(first.headers.get('ratelimit')).toBe('"credential";r=2;t=2, "tenant";r=2;t=2');
    expect(await count(5, '200 ok', async () => codeOf(await front.call('/api/tasks')))).toBe(2);
    const refused = await front.call('/api/tasks');
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('2');
    expect(refused.headers.get('ratelimit')).toMatch(/"credential";r=0;t=\d+, "tenant";r=0;t=\d+/);
    expect(await refused.json()).toMatchObject({ code: 'rate-limited', status: 429, type: 'urn:task-runner-x:problem:rate-limited' });
    front.clock.advance(2_000);
    expect(await codeOf(await front.call('/api/tasks'))).toBe('200 ok');
  });

  it('is no matter of another tenant, and of none of its tokens alone', async () => {
    await start();
    limit('t1', 60, 10);
    const of =
      (subject: string, tenant = 't1') =>
      async () =>
        codeOf(await front.call('/api/tasks', { headers: { authorization: `Bearer ${front.token({ tenant, subject })}` } }));
    expect(await count(8, '200 ok', of('a'))).toBe(5);
    expect(await count(8, '200 ok', of('b'))).toBe(5);
    expect(await count(1, '429 rate-limited', of('c'))).toBe(1);
    expect(await count(3, '200 ok', of('a', 't2'))).toBe(3);
  });

  it('is charged before a scope is compared, and before a byte of the body is asked for', async () => {
    await start({ RATE_CREDENTIAL_PERCENT: '100' });
    limit('t1', 1, 1);
    const powerless = { headers: { authorization: `Bearer ${front.token({ scopes: [] })}` } };
    expect(await codeOf(await front.call('/api/tasks', powerless))).toBe('403 insufficient-scope');
    expect(await codeOf(await front.call('/api/tasks', powerless))).toBe('429 rate-limited');
    const socket = connect(Number(new URL(front.url).port), '127.0.0.1');
    const text = await new Promise<string>((resolve, reject) => {
      socket.once('error', reject).once('data', (data) => {
        resolve(String(data));
      });
      socket.write(
        `POST /api/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${front.token()}\r\nContent-Type: application/json\r\nContent-Length: 8000000\r\n\r\n`,
      );
    });
    socket.destroy();
    expect(text).toMatch(/^HTTP\/1\.1 429/);
    expect(front.tasks.submitted).toEqual([]);
  });
});

describe('attempts that fail', () => {
  it('are refused after as many as a minute has, whatever X-Forwarded-For says', async () => {
    await start({ RATE_FAILURES_PER_MINUTE: '20' });
    const spoofed = (index: number): Promise<string> =>
      guess({ 'x-forwarded-for': `203.0.113.${index}`, forwarded: `for=203.0.113.${index}` });
    expect(await count(30, '401 invalid-token', spoofed)).toBe(20);
    expect(await count(5, '429 rate-limited', spoofed)).toBe(5);
    front.clock.advance(3_000);
    expect(await count(5, '401 invalid-token', spoofed)).toBe(1);
  });

  it('shut nobody out whose token is good, whether it was seen before or not', async () => {
    await start({ RATE_FAILURES_PER_MINUTE: '5' });
    expect((await front.call('/api/tasks')).status).toBe(200);
    const known = { headers: { authorization: `Bearer ${front.token()}` } };
    expect((await front.call('/api/tasks', known)).status).toBe(200);
    await count(10, '', () => guess());
    expect(await codeOf(await front.call('/api/tasks', known))).toBe('200 ok');
    const unseen = { headers: { authorization: `Bearer ${front.token({ subject: 'unseen' })}` } };
    expect(await codeOf(await front.call('/api/tasks', unseen))).toBe('200 ok');
    expect(await count(3, '429 rate-limited', () => guess())).toBe(3);
  });

  it('are those of the client that a trusted proxy names, and what the client itself writes there counts for nothing', async () => {
    await start({ RATE_FAILURES_PER_MINUTE: '5', TRUST_PROXY: '127.0.0.1,10.0.0.0/8' });
    const through = (client: string, own: string) => () => guess({ 'x-forwarded-for': `${own}, ${client}` });
    expect(await count(8, '401 invalid-token', through('198.51.100.7', '192.0.2.1'))).toBe(5);
    expect(await count(8, '429 rate-limited', through('198.51.100.7', '192.0.2.99'))).toBe(8);
    expect(await count(8, '401 invalid-token', through('198.51.100.8', '198.51.100.7'))).toBe(5);
    expect(await count(4, '401 invalid-token', through('2001:db8:1:2::1', ''))).toBe(4);
    expect(await count(4, '401 invalid-token', through('2001:db8:1:2:ffff::9', ''))).toBe(1);
  });

  it('are counted by the hop where proxies are counted', async () => {
    await start({ RATE_FAILURES_PER_MINUTE: '5', TRUST_PROXY: '1' });
    expect(await count(8, '401 invalid-token', (index) => guess({ 'x-forwarded-for': `192.0.2.${index}, 198.51.100.7` }))).toBe(5);
    expect(await count(3, '401 invalid-token', () => guess({ 'x-forwarded-for': '198.51.100.9' }))).toBe(3);
  });

  it('are those of the connection where nobody is trusted, and the log says once that a header was not believed', async () => {
    await start({ RATE_FAILURES_PER_MINUTE: '5' });
    const told = () => front.lines.filter(({ msg }) => String(msg).includes('X-Forwarded-For'));
    expect(await guess()).toBe('401 invalid-token');
    expect(told()).toEqual([]);
    expect(await count(8, '401 invalid-token', (index) => guess({ 'x-forwarded-for': `192.0.2.${index}` }))).toBe(4);
    expect(told()).toEqual([expect.objectContaining({ level: 'warn', msg: expect.stringContaining('TRUST_PROXY') })]);
    expect(JSON.stringify(told())).not.toContain('192.0.2');
  });

  it('of a thousand in a storm are a few statements, and a few lines', async () => {
    await start({ RATE_FAILURES_PER_MINUTE: '20' });
    const answers = await Promise.all(Array.from({ length: 300 }, () => guess()));
    expect(answers.filter((answer) => answer === '401 invalid-token')).toHaveLength(20);
    expect(front.rates.groups.length).toBeLessThanOrEqual(21);
    // The log has a bound of its own: ten at once.
    expect(front.lines.filter(({ msg }) => msg === 'a token was refused')).toHaveLength(10);
  });
});

describe('requests without a token', () => {
  it('are limited by address on every path, known or not, and nobody with a token is', async () => {
    await start({ RATE_ANONYMOUS_PER_MINUTE: '10' });
    const paths = ['/api/tasks', '/nowhere', '/openapi.json', '/api/nowhere'];
    const statuses: number[] = [];
    for (let index = 0; index < 16; index += 1) statuses.push((await fetch(`${front.url}${paths[index % 4]}`)).status);
    expect(statuses.slice(0, 4)).toEqual([401, 404, 200, 404]);
    expect(statuses.filter((status) => status === 429)).toHaveLength(6);
    expect((await front.call('/api/tasks')).status).toBe(200);
  });
});
