import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startFront, type Front } from '../../../../test/support/front.js';

let front: Front;
beforeAll(async () => {
  front = await startFront();
});
afterAll(() => front.close());
afterEach(() => expect(front.tasks.submitted).toHaveLength(0));

interface ProblemBody {
  code: string;
  status: number;
  errors?: { pointer: string; code: string; message: string }[];
}

async function refusal(body: string | object): Promise<ProblemBody> {
  const response = await front.post('/api/tasks', body);
  const problem = (await response.json()) as ProblemBody;
  expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(response.status).toBe(422);
  expect(problem).toMatchObject({ status: 422, code: 'validation-failed' });
  return problem;
}

describe('fields that do not do', () => {
  it.each<[string, unknown, string]>([
    ['/name', undefined, 'invalid-name'],
    ['/name', null, 'invalid-name'],
    ['/name', '', 'invalid-name'],
    ['/name', 5, 'invalid-name'],
    ['/name', ['echo'], 'invalid-name'],
    ['/name', 'a b', 'invalid-name'],
    ['/name', 'x'.repeat(129), 'invalid-name'],
    ['/name', 'a\r\nb', 'invalid-name'],
    ['/name', 'a\u0000', 'invalid-name'],
    ['/name', '😀', 'invalid-name'],
    ['/name', 'echo\n', 'invalid-name'],
    ['/name', '__proto__', 'reserved-name'],
    ['/name', 'constructor', 'reserved-name'],
    ['/queue', '../etc', 'invalid-name'],
    ['/queue', 'a{b}', 'invalid-name'],
    ['/queue', '*', 'invalid-name'],
    ['/queue', '?', 'invalid-name'],
    ['/queue', 'x'.repeat(65), 'invalid-name'],
    ['/queue', null, 'invalid-name'],
    ['/queue', 'hasOwnProperty', 'reserved-name'],
    ['/queue', 'toString', 'reserved-name'],
    ['/priority', 101, 'out-of-range'],
    ['/priority', -101, 'out-of-range'],
    ['/priority', 1.5, 'out-of-range'],
    ['/priority', '5', 'out-of-range'],
    ['/priority', true, 'out-of-range'],
    ['/priority', null, 'out-of-range'],
    ['/delayMs', -1, 'out-of-range'],
    ['/delayMs', 2_592_000_001, 'out-of-range'],
    ['/maxAttempts', 0, 'out-of-range'],
    ['/maxAttempts', 101, 'out-of-range'],
    ['/timeoutMs', 0, 'out-of-range'],
    ['/timeoutMs', 2_147_483_648, 'out-of-range'],
    ['/timeoutMs', 1e308, 'out-of-range'],
    ['/deadlineMs', 0, 'out-of-range'],
    ['/runAt', '2026-02-30T00:00:00Z', 'invalid-timestamp'],
    ['/runAt', '2026-01-01T00:00:00', 'invalid-timestamp'],
    ['/runAt', '2026-12-31T23:59:60Z', 'invalid-timestamp'],
    ['/runAt', 1_767_225_600_000, 'invalid-timestamp'],
    ['/expiresAt', 'soon', 'invalid-timestamp'],
    ['/expiresAt', null, 'invalid-timestamp'],
    ['/tags', 'a', 'invalid-tags'],
    ['/tags', ['a', 'a'], 'invalid-tags'],
    ['/tags', [1], 'invalid-tags'],
    ['/tags', [''], 'invalid-tags'],
    ['/tags', Array.from({ length: 11 }, (_, i) => `t${i}`), 'invalid-tags'],
    ['/metadata', [], 'not-an-object'],
    ['/metadata', 'x', 'not-an-object'],
    ['/metadata', null, 'not-an-object'],
    ['/metadata', { a: 'x'.repeat(4_096) }, 'too-large'],
    ['/retry', null, 'not-an-object'],
    ['/retry', [], 'not-an-object'],
    ['/callback', { url: 'https://example.com' }, 'not-available'],
  ])('%s %j: %s', async (pointer, value, code) => {
    const { errors } = await refusal({ name: 'echo', [pointer.slice(1)]: value });
    expect(errors?.map((error) => [error.pointer, error.code])).toEqual([[pointer, code]]);
  });

  it.each<[object, string, string]>([
    [{ backoff: 'random' }, '/retry/backoff', 'unknown-value'],
    [{ baseMs: -1 }, '/retry/baseMs', 'out-of-range'],
    [{ maxMs: 1.5 }, '/retry/maxMs', 'out-of-range'],
    [{ jitter: 1.1 }, '/retry/jitter', 'out-of-range'],
    [{ jitter: '0.5' }, '/retry/jitter', 'out-of-range'],
    [{ baseMs: 10, maxMs: 9 }, '/retry/maxMs', 'conflicting-fields'],
    [{ maxAttempts: 3 }, '/retry/maxAttempts', 'unknown-field'],
    [{ constructor: 1 }, '/retry/constructor', 'unknown-field'],
  ])('retry %j', async (retry, pointer, code) => {
    const { errors } = await refusal({ name: 'echo', retry });
    expect(errors).toEqual([expect.objectContaining({ pointer, code })]);
  });

  it.each([
    'id',
    'state',
    'tenant',
    'tenantId',
    'attempt',
    'createdAt',
    'result',
    'idempotencyKey',
    'constructor',
    'prototype',
    'toString',
    'hasOwnProperty',
    '',
  ])('refuses the unknown field "%s"', async (field) => {
    const { errors } = await refusal(`{"name":"echo",${JSON.stringify(field)}:{"prototype":{"x":1}}}`);
    expect(errors).toEqual([expect.objectContaining({ pointer: `/${field}`, code: 'unknown-field' })]);
    expect(Object.hasOwn(Object.prototype, 'x')).toBe(false);
  });

  it('refuses runAt with delayMs, and an expiry that is not after runAt', async () => {
    expect((await refusal({ name: 'echo', runAt: '2030-01-01T00:00:00Z', delayMs: 0 })).errors).toMatchObject([
      { pointer: '/delayMs', code: 'conflicting-fields' },
    ]);
    expect((await refusal({ name: 'echo', runAt: '2030-01-01T00:00:00Z', expiresAt: '2030-01-01T00:00:00Z' })).errors).toMatchObject([
      { pointer: '/expiresAt' },
    ]);
  });

  it('tells at most twenty problems, with pointers that are escaped and bounded', async () => {
    const body = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`f${index}`, 1]));
    expect((await refusal(body)).errors).toHaveLength(20);
    const { errors } = await refusal({ name: 'echo', 'a/b~c\n\u202e': 1, ['k'.repeat(500)]: 1 });
    expect(errors?.[0]?.pointer).toBe('/a~1b~0c\\u000a\\u202e');
    expect(errors?.[1]?.pointer.length).toBeLessThan(70);
  });

  it.each(['[]', '"x"', '5', 'null', 'true'])('refuses the body %s', async (body) => {
    expect((await refusal(body)).errors).toEqual([{ pointer: '', code: 'not-an-object', message: 'must be an object' }]);
  });
});
