import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startFront, type Front } from '../../../../test/support/front.js';

let front: Front;
let id: string;
beforeAll(async () => {
  front = await startFront();
  id = ((await (await front.post('/api/tasks', { name: 'echo' })).json()) as { id: string }).id;
});
afterAll(() => front.close());

describe('the timeline of a task', () => {
  it('is shown with instants, also among the details, and without what an item does not have', async () => {
    const response = await front.call(`/api/tasks/${id}/timeline`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      items: [
        {
          at: '2026-01-01T00:00:00.000Z',
          kind: 'submitted',
          state: 'scheduled',
          actor: 'tester',
          detail: { runAt: '2026-01-01T00:00:00.500Z' },
        },
        {
          at: '2026-01-01T00:00:01.000Z',
          kind: 'promoted',
          state: 'queued',
          detail: { from: 'scheduled', dueAt: '2026-01-01T00:00:00.500Z', lateMs: 500 },
        },
        { at: '2026-01-01T00:00:01.001Z', kind: 'started', state: 'running', attempt: 1, workerId: 'w' },
        {
          at: '2026-01-01T00:00:01.002Z',
          kind: 'ended',
          attempt: 1,
          workerId: 'w',
          outcome: 'failed',
          error: { code: 'c', message: 'm' },
        },
      ],
      truncated: false,
    });
  });

  it.each([
    ['another tenant’s task', () => `/api/tasks/${id}/timeline`, { tenant: 't2' }, 404, 'not-found'],
    ['a task that does not exist', () => '/api/tasks/0198e0c8-0000-7000-8000-000000000000/timeline', {}, 404, 'not-found'],
    ['what is no id', () => '/api/tasks/nonsense/timeline', {}, 400, 'invalid-id'],
    ['a parameter', () => `/api/tasks/${id}/timeline?limit=5`, {}, 400, 'unknown-parameter'],
    [
      'a token without the scope',
      () => `/api/tasks/${id}/timeline`,
      { scopes: ['tasks:write', 'tasks:cancel'] as const },
      403,
      'insufficient-scope',
    ],
  ])('is refused for %s', async (_what, path, claims, status, code) => {
    const response = await front.call(path(), { headers: { authorization: `Bearer ${front.token(claims)}` } });
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([status, code]);
  });
});
