/** Submissions that are only tried, on a real store: what they answer, and that nothing is written. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApiOnStore, type ApiOnStore } from '../../support/api-on-store.js';
import { backends } from '../../support/backends.js';

const known = {
  name: 'known',
  timeoutMs: 7_000,
  retry: { maxAttempts: 9, baseMs: 5 },
  payloadSchema: Object.freeze({ type: 'object', required: ['to'], properties: { to: { type: 'string', maxLength: 5 } } }),
};

describe.each(backends())('dryRun=true on $name', (backend) => {
  let api: ApiOnStore;
  beforeAll(async () => {
    api = await startApiOnStore(backend, { RETRY_BASE_MS: '20', RETRY_MAX_MS: '30000', TASK_TIMEOUT_MS: '60000' }, [known]);
  }, 30_000);
  afterAll(() => api.close());

  async function post(path: string, body: object, headers: Record<string, string> = {}) {
    const response = await fetch(`${api.url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${api.token()}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> & { items: Record<string, unknown>[] } };
  }

  /** What the call answers; nothing may have changed by it. */
  async function tried(path: string, body: object, headers: Record<string, string> = {}) {
    const before = await api.rows();
    const answer = await post(path, body, headers);
    expect(await api.rows()).toEqual(before);
    return answer;
  }

  it('tells the options of the task, then of its handler, then the defaults', async () => {
    const { status, body } = await tried('/api/tasks?dryRun=true', {
      name: 'known',
      payload: { to: 'me' },
      retry: { backoff: 'fixed' },
      delayMs: 5,
    });
    expect(status).toBe(200);
    expect(body).toEqual({
      ...{
        dryRun: true,
        name: 'known',
        handlerKnown: true,
        queue: 'default',
        queuePaused: false,
        priority: 0,
        state: 'scheduled',
        runAt: null,
        delayMs: 5,
      },
      ...{
        maxAttempts: 9,
        retry: { backoff: 'fixed', baseMs: 5, maxMs: 30_000, jitter: 0.2 },
        timeoutMs: 7_000,
        expiresAt: null,
        deadlineMs: null,
      },
      ...{ payloadBytes: 11, replayOf: null, quota: expect.objectContaining({ fits: true }) },
    });
    const other = await tried('/api/tasks?dryRun=true', { name: 'other', maxAttempts: 2, timeoutMs: 3, runAt: '2001-01-01T00:00:00Z' });
    expect(other.body).toMatchObject({ handlerKnown: false, maxAttempts: 2, timeoutMs: 3, retry: { baseMs: 20 }, state: 'queued' });
  });

  it('refuses what a submission would refuse', async () => {
    expect(await tried('/api/tasks?dryRun=true', { name: 'known', payload: {} })).toMatchObject({
      status: 422,
      body: { code: 'payload-invalid' },
    });
    expect(await tried('/api/tasks?dryRun=true', { name: 'a b' })).toMatchObject({ status: 422, body: { code: 'validation-failed' } });
    expect(await tried('/api/tasks?dryRun=yes', { name: 'a' })).toMatchObject({ status: 400, body: { code: 'invalid-query' } });
    expect(await tried('/api/tasks?dryRun=true', { name: 'a' }, { 'idempotency-key': ' ' })).toMatchObject({ status: 400 });
  });

  it('tells whether a key is taken, and by what', async () => {
    const key = { 'idempotency-key': 'taken' };
    const stored = await post('/api/tasks', { name: 'a' }, key);
    expect(stored.status).toBe(201);
    expect((await tried('/api/tasks?dryRun=true', { name: 'a' }, key)).body['replayOf']).toBe(stored.body['id']);
    expect((await tried('/api/tasks?dryRun=true', { name: 'b' }, key)).body['code']).toBe('idempotency-key-reused');
    expect((await tried('/api/tasks?dryRun=true', { name: 'b' }, { 'idempotency-key': 'free' })).body['replayOf']).toBeNull();
  });

  it('tells whether the queue is paused, for the tenant or for all', async () => {
    await post('/api/queues/mine/pause', {});
    await post('/api/queues/all/pause?allTenants=true', {});
    const paused = await Promise.all(
      ['mine', 'all', 'free'].map(async (queue) => (await tried('/api/tasks?dryRun=true', { name: 'a', queue })).body['queuePaused']),
    );
    expect(paused).toEqual([true, true, false]);
  });

  it('answers for each task of a batch in its place', async () => {
    const tasks = [
      { name: 'a', queue: 'mine', idempotencyKey: 'still free' },
      { name: 'known', payload: { to: 'far away' } },
      { name: 'b', idempotencyKey: 'taken' },
      5,
    ];
    const { status, body } = await tried('/api/tasks/batch?dryRun=true', { tasks });
    expect(status).toBe(200);
    expect(body.items).toMatchObject([
      { status: 200, plan: { name: 'a', queuePaused: true } },
      { status: 422, problem: { code: 'payload-invalid', errors: [{ pointer: '/tasks/1/payload/to', code: 'max-length' }] } },
      { status: 422, problem: { code: 'idempotency-key-reused' } },
      { status: 422, problem: { code: 'validation-failed' } },
    ]);
    const large = Array.from({ length: 1_000 }, (_, index) => ({ name: 'a', queue: `q${index}`, idempotencyKey: `k${index}` }));
    expect((await tried('/api/tasks/batch?dryRun=true', { tasks: large })).body.items.every(({ status: each }) => each === 200)).toBe(true);
  });
});

describe.each(backends())('a quota on $name', (backend) => {
  it('is told as far as it is left, and takes nothing', async () => {
    const api = await startApiOnStore(backend, { LIMIT_TASKS_QUEUED: '3', LIMIT_QUEUE_DEPTH: '2', LIMIT_PAYLOAD_BYTES: '30' });
    const post = async (path: string, body: object): Promise<Record<string, unknown>> => {
      const headers = { authorization: `Bearer ${api.token()}`, 'content-type': 'application/json' };
      const response = await fetch(`${api.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
      return (await response.json()) as Record<string, unknown>;
    };
    const quota = async (payload: string): Promise<unknown> => (await post('/api/tasks?dryRun=true', { name: 'a', payload }))['quota'];
    expect(await quota('')).toEqual({ fits: true, tasksLeft: 3, payloadBytesLeft: 30, queueLeft: 2 });
    await post('/api/tasks', { name: 'a', payload: '12345678' });
    expect(await quota('')).toEqual({ fits: true, tasksLeft: 2, payloadBytesLeft: 20, queueLeft: 1 });
    expect(await quota('x'.repeat(19))).toEqual({ fits: false, tasksLeft: 2, payloadBytesLeft: 20, queueLeft: 1 });
    await post('/api/tasks', { name: 'a', payload: '12345678' });
    expect(await quota('')).toEqual({ fits: false, tasksLeft: 1, payloadBytesLeft: 10, queueLeft: 0 });
    await api.close();
  }, 60_000);
});

describe.each(backends())('a payload that does not fit its handler on $name', (backend) => {
  let api: ApiOnStore;
  beforeAll(async () => {
    api = await startApiOnStore(backend, {}, [known]);
  }, 30_000);
  afterAll(() => api.close());

  const post = (path: string, body: object): Promise<Response> =>
    fetch(`${api.url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${api.token()}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  it('is refused at submission, alone and in a batch, and stored nowhere', async () => {
    const before = await api.rows();
    const one = await post('/api/tasks', { name: 'known', payload: { to: 'canary', 'a/b\u202e': 1 } });
    expect([one.status, await one.json()]).toEqual([
      422,
      expect.objectContaining({
        code: 'payload-invalid',
        errors: [{ pointer: '/payload/to', code: 'max-length', message: 'must have at most 5 characters' }],
      }),
    ]);
    const many = (await (await post('/api/tasks/batch', { tasks: [{ name: 'known' }, { name: 'known', payload: [] }] })).json()) as {
      items: object[];
    };
    expect(many.items).toMatchObject([422, 422].map((status) => ({ status, problem: { code: 'payload-invalid' } })));
    expect(await api.rows()).toEqual(before);
    expect(api.lines.join('')).not.toContain('canary');
    expect((await post('/api/tasks', { name: 'known', payload: { to: 'me' } })).status).toBe(201);
    expect((await post('/api/tasks', { name: 'other', payload: {} })).status).toBe(201);
  });

  it('is refused at a retry that brings it, which changes nothing', async () => {
    const { id } = (await (await post('/api/tasks', { name: 'known', payload: { to: 'me' } })).json()) as { id: string };
    await post(`/api/tasks/${id}/cancel`, {});
    const before = await api.rows();
    const refused = await post(`/api/tasks/${id}/retry`, { payload: { to: 5 } });
    expect([refused.status, await refused.json()]).toEqual([422, expect.objectContaining({ code: 'payload-invalid' })]);
    expect(await api.rows()).toEqual(before);
    const taken = await post(`/api/tasks/${id}/retry`, { payload: { to: 'you' } });
    expect(await taken.json()).toMatchObject({ state: 'queued', payload: { to: 'you' } });
    expect((await post('/api/tasks/0190a8f0-0000-7000-8000-000000000000/retry', { payload: {} })).status).toBe(404);
  });
});
