import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { QuotaExceeded, Unavailable } from '@app/errors';
import { startFront, type Front } from '../../../../test/support/front.js';

let front: Front;
beforeAll(async () => {
  front = await startFront();
});
afterAll(() => front.close());
beforeEach(() => {
  front.tasks.submitted.length = 0;
  front.tasks.failure = null;
});

interface Item {
  status: number;
  task?: { id: string; name: string };
  problem?: { code: string; errors?: { pointer: string; code: string }[] };
}

const items = async (response: Response): Promise<Item[]> => ((await response.json()) as { items: Item[] }).items;

describe('submitting a batch', () => {
  it('answers for each task in its place', async () => {
    const response = await front.post('/api/tasks/batch', {
      tasks: [
        { name: 'a' },
        { name: 'b', priority: 'high' },
        { name: 'c', payload: 'x'.repeat(262_144) },
        5,
        { name: 'e', idempotencyKey: 'k1' },
      ],
    });
    expect(response.status).toBe(201);
    const answered = await items(response);
    expect(answered.map((item) => [item.status, item.task?.name ?? item.problem?.code])).toEqual([
      [201, 'a'],
      [422, 'validation-failed'],
      [413, 'payload-too-large'],
      [422, 'validation-failed'],
      [201, 'e'],
    ]);
    expect(answered[1]?.problem?.errors).toEqual([expect.objectContaining({ pointer: '/tasks/1/priority', code: 'out-of-range' })]);
    expect(answered[3]?.problem?.errors).toEqual([expect.objectContaining({ pointer: '/tasks/3', code: 'not-an-object' })]);
    expect(front.tasks.submitted.map((task) => task.name)).toEqual(['a', 'e']);
  });

  it('replays by key, shared with single submissions', async () => {
    const single = await front.post('/api/tasks', { name: 'echo', payload: 1 }, { 'idempotency-key': 'shared' });
    const batch = await front.post('/api/tasks/batch', {
      tasks: [
        { name: 'echo', payload: 1, idempotencyKey: 'shared' },
        { name: 'other', idempotencyKey: 'shared' },
        { name: 'echo', idempotencyKey: ' ' },
      ],
    });
    const answered = await items(batch);
    expect(answered.map((item) => item.status)).toEqual([200, 422, 422]);
    expect(answered[0]?.task?.id).toBe(((await single.json()) as { id: string }).id);
    expect(answered[1]?.problem?.code).toBe('idempotency-key-reused');
    expect(answered[2]?.problem?.errors).toEqual([
      expect.objectContaining({ pointer: '/tasks/2/idempotencyKey', code: 'idempotency-key-invalid' }),
    ]);
  });

  it('takes a thousand tasks', async () => {
    const tasks = Array.from({ length: 1_000 }, (_, index) => ({ name: 'echo', payload: index }));
    expect(await items(await front.post('/api/tasks/batch', { tasks }))).toHaveLength(1_000);
    expect(front.tasks.submitted).toHaveLength(1_000);
  });

  it.each<[string, string, number, string]>([
    ['an empty list', '{"tasks":[]}', 422, 'validation-failed'],
    ['no list', '{}', 422, 'validation-failed'],
    ['a list of another name', '{"items":[{"name":"a"}]}', 422, 'validation-failed'],
    ['another field beside', '{"tasks":[{"name":"a"}],"atomic":true}', 422, 'validation-failed'],
    ['a list by itself', '[{"name":"a"}]', 422, 'validation-failed'],
    ['1,001 tasks', JSON.stringify({ tasks: Array.from({ length: 1_001 }, () => ({ name: 'a' })) }), 422, 'validation-failed'],
    ['a key twice in one task', '{"tasks":[{"name":"a"},{"name":"b","name":"c"}]}', 400, 'duplicate-key'],
    ['a payload of 33 levels', `{"tasks":[{"name":"a","payload":${'['.repeat(33)}${']'.repeat(33)}}]}`, 422, 'payload-too-deep'],
  ])('refuses %s as a whole', async (_, body, status, code) => {
    const response = await front.post('/api/tasks/batch', body);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ code });
    expect(front.tasks.submitted).toHaveLength(0);
  });

  it('takes payloads of 32 levels, and no Idempotency-Key for the whole', async () => {
    const deep = `{"tasks":[{"name":"a","payload":${'['.repeat(32)}${']'.repeat(32)}}]}`;
    expect((await front.post('/api/tasks/batch', deep)).status).toBe(201);
    const keyed = await front.post('/api/tasks/batch', { tasks: [{ name: 'a' }] }, { 'idempotency-key': 'x' });
    expect(keyed.status).toBe(400);
    expect(await keyed.json()).toMatchObject({ code: 'idempotency-key-invalid' });
  });

  it('fails as a whole, with Retry-After, while the database is away for all of it', async () => {
    front.tasks.failure = new Unavailable('The database does not answer. Repeat the request shortly.');
    const response = await front.post('/api/tasks/batch', { tasks: [{ name: 'a' }, { name: 'b' }] });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('2');
  });

  it('says of each task that finds no room when to come again', async () => {
    front.tasks.failure = new QuotaExceeded('tasks.queued', 5, 'tasks of this tenant that have not ended');
    const answered = await items(await front.post('/api/tasks/batch', { tasks: [{ name: 'a' }, {}] }));
    expect(answered).toEqual([
      {
        status: 429,
        retryAfter: 5,
        problem: expect.objectContaining({ code: 'quota-exceeded', detail: expect.stringContaining('tasks.queued') }),
      },
      { status: 422, problem: expect.objectContaining({ code: 'validation-failed' }) },
    ]);
    const single = await front.post('/api/tasks', { name: 'a' });
    expect([single.status, single.headers.get('retry-after')]).toEqual([429, '5']);
  });

  it('shows nothing of an unexpected failure in a task of its own', async () => {
    front.tasks.failure = new Error('ER_DUP_ENTRY canary');
    const answered = await items(await front.post('/api/tasks/batch', { tasks: [{ name: 'a' }] }));
    expect(answered).toEqual([{ status: 500, problem: expect.objectContaining({ code: 'internal' }) }]);
    expect(JSON.stringify(answered)).not.toContain('canary');
  });
});
