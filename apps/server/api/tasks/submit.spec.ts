import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startFront, type Front } from '../../../../test/support/front.js';
import { until } from '../../../../test/support/until.js';

let front: Front;
beforeAll(async () => {
  front = await startFront({ PAYLOAD_MAX_BYTES: '2048' });
});
afterAll(() => front.close());
beforeEach(() => {
  front.tasks.submitted.length = 0;
  front.tasks.waits.length = 0;
  front.tasks.outcome = 'timeout';
});

type Json = Record<string, unknown>;
const json = async (response: Response): Promise<Json> => (await response.json()) as Json;

describe('submitting a task', () => {
  it('answers 201 with the task and its address', async () => {
    const response = await front.post('/api/tasks', { name: 'echo', payload: { a: 1 } });
    const task = await json(response);
    expect(response.status).toBe(201);
    expect(response.headers.get('location')).toBe(`/api/tasks/${String(task['id'])}`);
    expect(task).toMatchObject({
      name: 'echo',
      queue: 'default',
      priority: 0,
      state: 'queued',
      payload: { a: 1 },
      createdAt: '2026-01-01T00:00:00.000Z',
    });
    expect(task).not.toHaveProperty('tenant');
  });

  it('hands on exactly what was said, and nothing of its own', async () => {
    const body = {
      name: 'report.render',
      queue: 'q:1',
      priority: -100,
      runAt: '2030-01-01T00:00:00+01:00',
      maxAttempts: 3,
      retry: { backoff: 'linear', baseMs: 0, maxMs: 10, jitter: 0.5 },
      timeoutMs: 1,
      expiresAt: '2031-01-01T00:00:00Z',
      deadlineMs: 1,
      tags: ['a', 'b'],
      metadata: { constructor: { deep: [1] } },
    };
    expect((await front.post('/api/tasks', body)).status).toBe(201);
    expect(front.tasks.submitted).toEqual([
      {
        ...body,
        tenant: 't1',
        payload: 'null',
        runAt: Date.UTC(2029, 11, 31, 23),
        delayMs: null,
        expiresAt: Date.UTC(2031, 0, 1),
        createdBy: 'tester',
        idempotency: null,
      },
    ]);
    await front.post('/api/tasks', { name: 'echo' });
    expect(front.tasks.submitted[1]).toEqual({
      tenant: 't1',
      name: 'echo',
      queue: 'default',
      priority: 0,
      payload: 'null',
      runAt: null,
      delayMs: null,
      maxAttempts: null,
      retry: null,
      timeoutMs: null,
      expiresAt: null,
      deadlineMs: null,
      tags: [],
      metadata: null,
      createdBy: 'tester',
      idempotency: null,
    });
  });

  it.each(['null', '0', '""', '[]', '{"constructor":{"prototype":{"x":1}}}', '"é\\u0000\\u2028"', '[[{"toString":1}]]'])(
    'keeps the payload %s',
    async (payload) => {
      expect((await front.post('/api/tasks', `{"name":"echo","payload":${payload}}`)).status).toBe(201);
      expect(JSON.parse(front.tasks.submitted[0]?.payload ?? '')).toEqual(JSON.parse(payload));
      expect(Object.hasOwn(Object.prototype, 'x')).toBe(false);
    },
  );

  it.each(['application/json; charset=UTF-8', 'Application/JSON;charset="utf-8"', 'application/json;charset=utf8'])(
    'takes %s',
    async (type) => {
      const response = await front.post('/api/tasks', { name: 'echo' }, { 'content-type': type, 'content-encoding': 'identity' });
      expect(response.status).toBe(201);
    },
  );

  it('takes a payload of exactly the limit, whatever the spacing', async () => {
    const payload = 'x'.repeat(2_046);
    expect((await front.post('/api/tasks', `{"name":"echo",${' '.repeat(500)}"payload":"${payload}"}`)).status).toBe(201);
    const over = await front.post('/api/tasks', { name: 'echo', payload: `${payload}x` });
    expect(over.status).toBe(413);
    expect(await json(over)).toMatchObject({ code: 'payload-too-large' });
    expect(front.tasks.submitted).toHaveLength(1);
  });
});

describe('Idempotency-Key', () => {
  it('answers the same request with the first task, whatever its spacing and order', async () => {
    const key = { 'idempotency-key': 'order-1' };
    const first = await front.post('/api/tasks', '{"name":"echo","payload":{"a":1,"b":2}}', key);
    const second = await front.post('/api/tasks', '{ "payload": {"b":2, "a":1.0}, "name": "echo" }', { 'idempotency-key': ' order-1 ' });
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    expect(second.headers.get('idempotency-replayed')).toBe('true');
    expect((await json(second))['id']).toBe((await json(first))['id']);
    expect(front.tasks.submitted).toHaveLength(1);
  });

  it('refuses the key for another request, and keeps tenants apart', async () => {
    const key = { 'idempotency-key': 'order-2' };
    await front.post('/api/tasks', { name: 'echo' }, key);
    const other = await front.post('/api/tasks', { name: 'echo', priority: 1 }, key);
    expect(other.status).toBe(422);
    expect(await json(other)).toMatchObject({ code: 'idempotency-key-reused' });
    const elsewhere = await front.post(
      '/api/tasks',
      { name: 'echo', priority: 1 },
      { ...key, authorization: `Bearer ${front.token({ tenant: 't2' })}` },
    );
    expect(elsewhere.status).toBe(201);
  });

  it('keeps only hashes', async () => {
    await front.post('/api/tasks', { name: 'echo' }, { 'idempotency-key': 'secret-key' });
    const claim = front.tasks.submitted[0]?.idempotency;
    expect([claim?.keyHash.length, claim?.fingerprint.length]).toEqual([32, 32]);
    expect(JSON.stringify(front.lines)).not.toContain('secret-key');
  });

  it.each(['', '   ', 'é', 'x'.repeat(256)])('refuses %j', async (key) => {
    const response = await front.post('/api/tasks', { name: 'echo' }, { 'idempotency-key': key });
    expect(response.status).toBe(400);
    expect(await json(response)).toMatchObject({ code: 'idempotency-key-invalid' });
    expect(front.tasks.submitted).toHaveLength(0);
  });
});

describe('Prefer: wait', () => {
  it('answers 200 with the finished task', async () => {
    front.tasks.outcome = 'finished';
    const response = await front.post('/api/tasks', { name: 'echo' }, { prefer: 'respond-async, wait=10' });
    expect(response.status).toBe(200);
    expect(await json(response)).toMatchObject({ state: 'succeeded' });
    expect(response.headers.get('location')).toMatch(/^\/api\/tasks\//);
    expect(front.tasks.waits).toEqual([{ timeoutMs: 10_000, aborted: false }]);
  });

  it('answers 202 with the task as it is when the wait ends first', async () => {
    const response = await front.post('/api/tasks', { name: 'echo' }, { prefer: 'wait=60' });
    expect(response.status).toBe(202);
    expect(await json(response)).toMatchObject({ state: 'queued' });
  });

  it('ends the wait when the client hangs up', async () => {
    front.tasks.outcome = 'hang';
    const client = new AbortController();
    const call = fetch(`${front.url}/api/tasks`, {
      method: 'POST',
      body: '{"name":"echo"}',
      signal: client.signal,
      headers: { authorization: `Bearer ${front.token()}`, 'content-type': 'application/json', prefer: 'wait=60' },
    });
    await until(() => front.tasks.waits.length === 1, { what: 'the wait to begin' });
    client.abort();
    await expect(call).rejects.toThrow();
    await until(() => front.tasks.waits[0]?.aborted, { what: 'the wait to end' });
  });

  it.each(['wait', 'wait=', 'wait=-1', 'wait=61', 'wait=1e1', 'wait=1.5', 'wait=abc', 'wait=0x5', 'wait=5, wait=6'])(
    'refuses %s',
    async (prefer) => {
      const response = await front.post('/api/tasks', { name: 'echo' }, { prefer });
      expect(response.status).toBe(400);
      expect(await json(response)).toMatchObject({ code: 'invalid-prefer' });
      expect(front.tasks.submitted).toHaveLength(0);
    },
  );

  it('passes other preferences over', async () => {
    expect((await front.post('/api/tasks', { name: 'echo' }, { prefer: 'return=minimal; wait=1, waiting=3' })).status).toBe(201);
  });
});
