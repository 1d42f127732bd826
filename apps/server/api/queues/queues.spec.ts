import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Scope } from '@app/auth';
import { startFront, type Front } from '../../../../test/support/front.js';

let front: Front;
beforeAll(async () => {
  front = await startFront();
});
afterAll(() => front.close());
beforeEach(() => {
  front.tasks.queueCalls.length = 0;
});

const post = (path: string, scopes: Scope[] = ['queues:manage', 'admin']) =>
  front.call(path, { method: 'POST', headers: { authorization: `Bearer ${front.token({ scopes })}` } });

describe('queues and workers', () => {
  it('are listed', async () => {
    expect(await (await front.call('/api/queues')).json()).toEqual({
      items: [expect.objectContaining({ name: 'default', paused: false, pausedAt: null, depth: expect.objectContaining({ queued: 2 }) })],
    });
    expect(await (await front.call('/api/workers')).json()).toEqual({
      items: [expect.objectContaining({ id: 'w', state: 'live', startedAt: '1970-01-01T00:00:00.001Z' })],
    });
  });

  it('are paused and resumed for the tenant of the token', async () => {
    const paused = await post('/api/queues/reports/pause', ['queues:manage']);
    expect([paused.status, await paused.json()]).toEqual([
      200,
      expect.objectContaining({ name: 'reports', paused: true, pausedAt: '1970-01-01T00:00:00.001Z' }),
    ]);
    await post('/api/queues/reports/resume?allTenants=false', ['queues:manage']);
    expect(front.tasks.queueCalls).toEqual(['pause t1 reports', 'resume t1 reports']);
  });

  it('are paused and resumed for a reason, where one is given', async () => {
    for (const call of ['pause', 'resume', 'pause?allTenants=true', 'resume?allTenants=true'])
      expect((await front.post(`/api/queues/reports/${call}`, { reason: 'the bank is away' })).status).toBe(200);
    expect((await front.post('/api/queues/reports/pause', {})).status).toBe(200);
    expect((await front.post('/api/queues/reports/pause', { reason: 7 })).status).toBe(422);
    expect(front.tasks.queueCalls).toEqual([
      'pause t1 reports: the bank is away',
      'resume t1 reports: the bank is away',
      'pause * reports: the bank is away',
      'resume * reports: the bank is away',
      'pause t1 reports',
    ]);
  });

  it('are paused for all tenants only with the admin scope on top', async () => {
    const refused = await post('/api/queues/reports/pause?allTenants=true', ['queues:manage']);
    expect([refused.status, await refused.json()]).toEqual([403, expect.objectContaining({ code: 'insufficient-scope' })]);
    expect((await post('/api/queues/reports/pause?allTenants=true', ['admin'])).status).toBe(403);
    expect(front.tasks.queueCalls).toEqual([]);
    const paused = await post('/api/queues/reports/pause?allTenants=true');
    expect([paused.status, await paused.json()]).toEqual([200, expect.objectContaining({ name: 'reports', paused: true })]);
    await post('/api/queues/default/resume?allTenants=true');
    expect(front.tasks.queueCalls).toEqual(['pause * reports', 'resume * default']);
  });

  it.each([
    ['/api/queues/a%20b/pause', 422, 'validation-failed'],
    ['/api/queues/..%2Fetc/pause', 422, 'validation-failed'],
    ['/api/queues/*/pause', 422, 'validation-failed'],
    ['/api/queues/constructor/resume', 422, 'validation-failed'],
    ['/api/queues/reports/pause?allTenants=1', 400, 'invalid-query'],
    ['/api/queues/reports/pause?alltenants=true', 400, 'unknown-parameter'],
  ])('%s: %i %s', async (path, status, code) => {
    const response = await post(path);
    expect([response.status, await response.json()]).toEqual([status, expect.objectContaining({ code })]);
    expect(front.tasks.queueCalls).toEqual([]);
  });
});
