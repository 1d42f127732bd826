import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Scope } from '@app/auth';
import { startFront, type Front } from '../../../../test/support/front.js';
import { WIDE_LIMITS } from '../../../../test/support/wide-limits.js';

let front: Front;
beforeAll(async () => {
  front = await startFront();
});
afterAll(() => front.close());
beforeEach(() => {
  front.tasks.limitChanges.length = 0;
});

const OWN = { limits: WIDE_LIMITS, used: { 'tasks.queued': 3, 'payload.bytes': 21 }, queues: [{ name: 'reports', used: 2, limit: 9 }] };

const as = (scopes: Scope[]) => ({ authorization: `Bearer ${front.token({ scopes })}` });
const put = (tenant: string, body: unknown, scopes: Scope[] = ['admin']) =>
  front.call(`/api/limits/${tenant}`, {
    method: 'PUT',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...as(scopes) },
  });

describe('the limits', () => {
  it('are shown to the tenant of the token, with what it uses of them', async () => {
    const shown = await front.call('/api/limits', { headers: as(['queues:read']) });
    expect([shown.status, await shown.json()]).toEqual([200, { tenant: 't1', ...OWN }]);
    expect((await front.call('/api/limits', { headers: as(['tasks:read']) })).status).toBe(403);
  });

  it('of any tenant are for the admin scope only', async () => {
    for (const tenant of ['t1', 't2', '*']) {
      expect((await front.call(`/api/limits/${tenant}`, { headers: as(['queues:read', 'queues:manage']) })).status).toBe(403);
      expect((await put(tenant, { limits: { weight: 1 }, reason: 'r' }, ['queues:read', 'queues:manage'])).status).toBe(403);
    }
    expect(front.tasks.limitChanges).toEqual([]);
  });

  it('are set for a reason, by the caller of the token', async () => {
    const set = await put('t2', { queue: 'reports', limits: { 'queue.depth': 5 }, reason: 'noisy' });
    const row = { queue: 'reports', name: 'queue.depth', value: 5, setAt: '1970-01-01T00:00:00.001Z', setBy: 'tester', reason: 'noisy' };
    expect([set.status, await set.json()]).toEqual([200, { tenant: 't2', ...OWN, set: [row] }]);
    expect((await put('*', { limits: { 'tasks.queued': 0, weight: null }, reason: 'closed' })).status).toBe(200);
    const by = { actor: 'tester', actorTenant: 't1' };
    expect(front.tasks.limitChanges).toEqual([
      { tenant: 't2', queue: 'reports', limits: { 'queue.depth': 5 }, reason: 'noisy', ...by },
      { tenant: '*', queue: '', limits: { 'tasks.queued': 0, weight: null }, reason: 'closed', ...by },
    ]);
  });

  const good = { limits: { 'tasks.queued': 1 }, reason: 'r' };
  it.each<[string, string, unknown, string]>([
    ['no reason', 't2', { limits: good.limits }, '/reason'],
    ['no limits', 't2', { reason: 'r' }, '/limits'],
    ['an empty set of limits', 't2', { ...good, limits: {} }, '/limits'],
    ['a limit that does not exist', 't2', { ...good, limits: { schedules: 1 } }, '/limits/schedules'],
    ['a name that every object has', 't2', { ...good, limits: { constructor: 1 } }, '/limits/constructor'],
    ['a negative limit', 't2', { ...good, limits: { 'tasks.queued': -1 } }, '/limits/tasks.queued'],
    ['half a task', 't2', { ...good, limits: { 'tasks.queued': 1.5 } }, '/limits/tasks.queued'],
    ['a number as a text', 't2', { ...good, limits: { 'tasks.queued': '1' } }, '/limits/tasks.queued'],
    ['no weight at all', 't2', { ...good, limits: { weight: 0 } }, '/limits/weight'],
    ['a limit of the tenant for a queue', 't2', { ...good, queue: 'q' }, '/limits/tasks.queued'],
    ['a queue that no task can name', 't2', { limits: { 'queue.depth': 1 }, reason: 'r', queue: 'a b' }, '/queue'],
    ['another field', 't2', { ...good, tenant: 't3' }, '/tenant'],
    ['a tenant that no token can name', 'a%20b', good, 'tenant'],
    ['a reserved tenant', 'constructor', good, 'tenant'],
  ])('refuse %s', async (_what, tenant, body, pointer) => {
    const refused = await put(tenant, body);
    const { code, errors } = (await refused.json()) as { code: string; errors: { pointer: string }[] };
    expect([refused.status, code, errors.map((error) => error.pointer)]).toEqual([422, 'validation-failed', [pointer]]);
    expect(front.tasks.limitChanges).toEqual([]);
  });
});
