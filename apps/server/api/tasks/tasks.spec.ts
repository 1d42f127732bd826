import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startFront, type Front } from '../../../../test/support/front.js';

let front: Front;
const ids: string[] = [];
beforeAll(async () => {
  front = await startFront();
  for (let index = 0; index < 5; index += 1) {
    const response = await front.post('/api/tasks', { name: 'echo', payload: index });
    ids.unshift(((await response.json()) as { id: string }).id);
  }
});
afterAll(() => front.close());

interface Page {
  items: { id: string }[];
  nextCursor: string | null;
}

const as = (tenant: string) => ({ headers: { authorization: `Bearer ${front.token({ tenant })}` } });
const page = async (query: string): Promise<Page> => (await (await front.call(`/api/tasks${query}`)).json()) as Page;

async function refusal(path: string, init: RequestInit = {}): Promise<string> {
  const response = await front.call(path, init);
  const problem = (await response.json()) as { status: number; code: string };
  expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  return `${response.status} ${problem.code}`;
}

describe('listing tasks', () => {
  it('pages from newest to oldest without gap or repetition', async () => {
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const next: Page = await page(cursor === null ? '?limit=2' : `?limit=2&cursor=${cursor}`);
      seen.push(...next.items.map((task) => task.id));
      cursor = next.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual(ids);
    expect((await page('')).items).toHaveLength(5);
  });

  it('refuses a cursor with other filters, of another tenant, or made up', async () => {
    const { nextCursor } = await page('?limit=2&state=queued');
    expect((await page(`?limit=1&state=queued&cursor=${nextCursor}`)).items).toHaveLength(1);
    expect(await refusal(`/api/tasks?cursor=${nextCursor}`)).toBe('400 invalid-cursor');
    expect(await refusal(`/api/tasks?state=running&cursor=${nextCursor}`)).toBe('400 invalid-cursor');
    expect(await refusal(`/api/tasks?state=queued&cursor=${nextCursor}`, as('t2'))).toBe('400 invalid-cursor');
    for (const bad of ['', 'x', `${nextCursor}A`, `${nextCursor}=`, 'A'.repeat(43), ids[0], '%00']) {
      expect(await refusal(`/api/tasks?state=queued&cursor=${bad}`)).toBe('400 invalid-cursor');
    }
  });

  it.each([
    ['limit=0', 'invalid-query'],
    ['limit=-1', 'invalid-query'],
    ['limit=201', 'invalid-query'],
    ['limit=1e2', 'invalid-query'],
    ['limit=abc', 'invalid-query'],
    ['limit=', 'invalid-query'],
    ['limit=5;DROP', 'invalid-query'],
    ['limit=+5', 'invalid-query'],
    ['limit=1&limit=2', 'invalid-query'],
    ['state=nope', 'invalid-query'],
    ['state=queued&state=nope', 'invalid-query'],
    ['state=__proto__', 'invalid-query'],
    ['name=a b', 'invalid-query'],
    ["queue=' OR 1=1 --", 'invalid-query'],
    ['tag=', 'invalid-query'],
    ['createdAfter=2026-02-30T00:00:00Z', 'invalid-query'],
    ['createdBefore=yesterday', 'invalid-query'],
    ['createdAfter=2026-01-02T00:00:00Z&createdBefore=2026-01-01T00:00:00Z', 'invalid-query'],
    ['admin=true', 'unknown-parameter'],
    ['sort=createdAt;DROP TABLE tasks', 'unknown-parameter'],
    ['State=queued', 'unknown-parameter'],
    ['state[]=queued', 'unknown-parameter'],
    ['__proto__=x', 'unknown-parameter'],
    ['tenant=t2', 'unknown-parameter'],
  ])('refuses ?%s', async (query, code) => expect(await refusal(`/api/tasks?${encodeURI(query).replace('+', '%2B')}`)).toBe(`400 ${code}`));
});

describe('one task', () => {
  it('is read, with its attempts, by an id in either case', async () => {
    for (const id of [ids[0] ?? '', (ids[0] ?? '').toUpperCase()]) {
      expect(await (await front.call(`/api/tasks/${id}`)).json()).toMatchObject({ id: ids[0], payload: 4 });
    }
    expect(await (await front.call(`/api/tasks/${ids[0]}/attempts`)).json()).toEqual({
      items: [expect.objectContaining({ attempt: 1, outcome: 'succeeded', startedAt: '1970-01-01T00:00:00.001Z' })],
    });
    expect(await refusal(`/api/tasks/${ids[0]}?verbose=1`)).toBe('400 unknown-parameter');
  });

  it.each([
    '1 OR 1=1',
    '-1',
    '1e3',
    '0x10',
    '9223372036854775808',
    '１',
    '0190a8f0-0000-7000-8000-00000000000g',
    '0190a8f0000070008000000000000000',
    'batch',
  ])('has no id like %s', async (id) => {
    expect(await refusal(`/api/tasks/${encodeURIComponent(id)}`)).toBe('400 invalid-id');
    expect(await refusal(`/api/tasks/${encodeURIComponent(id)}/retry`, { method: 'POST' })).toBe('400 invalid-id');
  });

  it('does not exist for another tenant, in any call, and stays as it is', async () => {
    const unknown = '0190a8f0-0000-7000-8000-000000000000';
    for (const [method, suffix] of [
      ['GET', ''],
      ['GET', '/attempts'],
      ['POST', '/cancel'],
      ['POST', '/retry'],
    ] as const) {
      const foreign = await front.call(`/api/tasks/${ids[0]}${suffix}`, { method, ...as('t2') });
      const missing = await front.call(`/api/tasks/${unknown}${suffix}`, { method });
      const [a, b] = (await Promise.all([foreign.json(), missing.json()])) as { requestId?: string }[];
      expect([foreign.status, { ...a, requestId: '' }]).toEqual([404, { ...b, requestId: '' }]);
    }
    expect(front.tasks.tasks.get(ids[0] ?? '')?.state).toBe('queued');
    expect((await (await front.call('/api/tasks', as('t2'))).json()) as Page).toEqual({ items: [], nextCursor: null });
  });

  it('is cancelled and retried, and refuses moves it has not', async () => {
    expect(await refusal(`/api/tasks/${ids[1]}/retry`, { method: 'POST' })).toBe('409 invalid-state');
    const cancelled = await front.call(`/api/tasks/${ids[1]}/cancel`, { method: 'POST' });
    expect([cancelled.status, await cancelled.json()]).toEqual([200, expect.objectContaining({ state: 'cancelled' })]);
    const retried = await front.call(`/api/tasks/${ids[1]}/retry`, { method: 'POST' });
    expect([retried.status, await retried.json()]).toEqual([200, expect.objectContaining({ state: 'queued' })]);
  });
});
