import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startFront, type Front } from '../../../../test/support/front.js';

let front: Front;
beforeAll(async () => {
  front = await startFront({ AUTH_KEY_PEPPER: 'p'.repeat(32) });
});
afterAll(() => front.close());
beforeEach(() => {
  front.keys.calls.length = 0;
});

interface Made {
  id: string;
  key: string;
}

const make = async (change: object = {}): Promise<Made> =>
  (await (await front.post('/api/keys', { name: 'import', scopes: ['tasks:read'], ...change })).json()) as Made;

describe('API keys', () => {
  it('are shown whole once, with their address, and never again', async () => {
    const response = await front.post('/api/keys', { name: 'import', scopes: ['tasks:*', 'tasks:read'], ttlMs: 60_000, reason: 'why not' });
    const made = (await response.json()) as Made & { scopes: string[] };
    expect([response.status, response.headers.get('location')]).toEqual([201, `/api/keys/${made.id}`]);
    expect(made.key).toMatch(/^trx_[0-9A-Za-z]{22}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/);
    expect(made.scopes).toEqual(['tasks:read', 'tasks:write', 'tasks:cancel', 'tasks:payload']);
    expect(front.keys.calls).toEqual([
      { action: 'make', name: 'import', scopes: made.scopes, expiresAt: null, ttlMs: 60_000, reason: 'why not', address: '127.0.0.1' },
    ]);
    const { key: _key, ...shown } = made;
    expect(await (await front.call(`/api/keys/${made.id}`)).json()).toEqual(shown);
    const list = await (await front.call('/api/keys')).text();
    expect(list).toContain(made.id);
    expect(list + JSON.stringify(front.lines)).not.toContain(made.key.split('_')[2]);
  });

  it('are listed page by page, with cursors that are good for this list only', async () => {
    for (let each = 0; each < 3; each += 1) await make();
    const page = (await (await front.call('/api/keys?limit=2')).json()) as { items: object[]; nextCursor: string };
    expect(page.items).toHaveLength(2);
    expect((await front.call(`/api/keys?limit=2&cursor=${page.nextCursor}`)).status).toBe(200);
    expect((await front.call(`/api/audit?cursor=${page.nextCursor}`)).status).toBe(400);
  });

  it('are rotated and revoked, with a reason or without', async () => {
    const { id, key } = await make();
    const rotated = await front.post(`/api/keys/${id}/rotate`, { overlapMs: 1_000, reason: 'monthly' });
    expect([rotated.status, ((await rotated.json()) as Made).key === key]).toEqual([200, false]);
    expect((await front.post(`/api/keys/${id}/rotate`, null)).status).toBe(200);
    const revoked = await front.call(`/api/keys/${id}?reason=it%20leaked`, { method: 'DELETE' });
    expect([revoked.status, await revoked.json()]).toEqual([200, expect.objectContaining({ id, state: 'revoked' })]);
    expect((await front.call(`/api/keys/${id}`, { method: 'DELETE' })).status).toBe(200);
    expect(front.keys.calls.slice(1)).toEqual([
      { action: 'rotate', overlapMs: 1_000, reason: 'monthly' },
      { action: 'rotate', overlapMs: 0, reason: '' },
      { action: 'revoke', reason: 'it leaked' },
      { action: 'revoke', reason: '' },
    ]);
  });

  it.each<[object, string, string]>([
    [{ name: '' }, '/name', 'invalid-text'],
    [{ name: 'a\u0007' }, '/name', 'invalid-text'],
    [{ scopes: undefined }, '/scopes', 'invalid-scopes'],
    [{ scopes: [] }, '/scopes', 'invalid-scopes'],
    [{ scopes: 'tasks:read' }, '/scopes', 'invalid-scopes'],
    [{ scopes: ['*'] }, '/scopes', 'invalid-scopes'],
    [{ scopes: ['*:*'] }, '/scopes', 'invalid-scopes'],
    [{ scopes: ['tasks:'] }, '/scopes', 'invalid-scopes'],
    [{ scopes: ['tasks:re*'] }, '/scopes', 'invalid-scopes'],
    [{ scopes: ['tasks:read', 'tasks:read'] }, '/scopes', 'invalid-scopes'],
    [{ scopes: ['tasks:read', 1] }, '/scopes', 'invalid-scopes'],
    [{ scopes: [['tasks:read']] }, '/scopes', 'invalid-scopes'],
    [{ ttlMs: 999 }, '/ttlMs', 'out-of-range'],
    [{ ttlMs: '1000' }, '/ttlMs', 'out-of-range'],
    [{ expiresAt: '2030-02-30T00:00:00Z' }, '/expiresAt', 'invalid-timestamp'],
    [{ expiresAt: '2030-01-01T00:00:00Z', ttlMs: 60_000 }, '/ttlMs', 'conflicting-fields'],
    [{ tenant: 't2' }, '/tenant', 'unknown-field'],
    [{ id: 'x' }, '/id', 'unknown-field'],
    [{ createdBy: 'x' }, '/createdBy', 'unknown-field'],
    [{ reason: '' }, '/reason', 'invalid-text'],
  ])('are not made of %j', async (change, pointer, code) => {
    const response = await front.post('/api/keys', { name: 'import', scopes: ['tasks:read'], ...change });
    expect([response.status, await response.json()]).toEqual([
      422,
      expect.objectContaining({ code: 'validation-failed', errors: [expect.objectContaining({ pointer, code })] }),
    ]);
    expect(front.keys.calls).toEqual([]);
  });

  it.each([
    ['POST', '/rotate', { overlapMs: -1 }, 422],
    ['POST', '/rotate', { overlapMs: 1.5 }, 422],
    ['POST', '/rotate', { ttlMs: 1 }, 422],
    ['DELETE', '?reason=', null, 422],
    ['DELETE', `?reason=${'x'.repeat(501)}`, null, 422],
    ['DELETE', '?force=true', null, 400],
  ])('refuse %s %s %j', async (method, rest, body, status) => {
    const { id } = await make();
    const init = body === null ? { method } : { method, body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    expect((await front.call(`/api/keys/${id}${rest}`, init)).status).toBe(status);
  });

  it.each(['x', '1 OR 1=1', '%00'])('have no id %s', async (id) => {
    expect((await front.call(`/api/keys/${encodeURIComponent(id)}`)).status).toBe(400);
  });
});
