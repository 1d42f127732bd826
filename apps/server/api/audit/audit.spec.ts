import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startFront, type Front } from '../../../../test/support/front.js';

let front: Front;
beforeAll(async () => {
  front = await startFront();
});
afterAll(() => front.close());

interface Page {
  items: object[];
  nextCursor: string | null;
}

const read = async (query = ''): Promise<Page> => (await (await front.call(`/api/audit${query}`)).json()) as Page;

describe('the audit log', () => {
  it('shows the entries of the tenant of the token, page by page, with the filters of the call', async () => {
    const { items, nextCursor } = await read('?action=task.retry&actor=a%20b');
    expect(items).toEqual([
      {
        ...{ id: '0190a8f0-0000-7000-8000-0000000a0d17', at: '1970-01-01T00:00:00.001Z', actor: 'tester', action: 'task.retry' },
        ...{ target: 't1', reason: 'why not', detail: { filter: { action: 'task.retry', actor: 'a b' } } },
      },
    ]);
    expect(await read(`?action=task.retry&actor=a%20b&cursor=${nextCursor}`)).toEqual({ items: [], nextCursor: null });
    expect((await front.call(`/api/audit?cursor=${nextCursor}`)).status).toBe(400);
  });

  it('is for the admin scope only', async () => {
    const scopes = ['tasks:read', 'tasks:write', 'tasks:cancel', 'queues:manage'] as const;
    expect((await front.call('/api/audit', { headers: { authorization: `Bearer ${front.token({ scopes })}` } })).status).toBe(403);
    expect((await front.call('/api/audit', { headers: { authorization: `Bearer ${front.token({ scopes: ['admin'] })}` } })).status).toBe(
      200,
    );
  });

  it.each(['?action=', `?actor=${'a'.repeat(256)}`, '?limit=0', '?tenant=t2'])('refuses %s', async (query) => {
    expect((await front.call(`/api/audit${query}`)).status).toBe(400);
  });
});
