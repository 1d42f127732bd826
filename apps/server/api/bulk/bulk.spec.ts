import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Scope } from '@app/auth';
import { idempotencyClaim } from '../tasks/idempotency.js';
import { startFront, type Front } from '../../../../test/support/front.js';

let front: Front;
beforeAll(async () => {
  front = await startFront({ BULK_RATE_PER_SECOND: '7' });
});
afterAll(() => front.close());
beforeEach(() => {
  front.tasks.bulks.length = 0;
});

const ID = '0190a8f0-0000-7000-8000-00000000b01c';
const BULK = { action: 'retry', filter: { name: 'echo' }, reason: 'the bank is back' };

const start = (body: object, headers: Record<string, string> = {}): Promise<Response> => front.post('/api/bulk', body, headers);
const as = (scopes: Scope[]): Record<string, string> => ({ authorization: `Bearer ${front.token({ scopes })}` });

describe('an operation over many tasks', () => {
  it('is started, and says where to look', async () => {
    const filter = { state: 'failed', reason: 'poison', name: 'echo', queue: 'q', tag: 't', createdAfter: '2026-01-01T00:00:00+01:00' };
    const response = await start({ ...BULK, filter, ratePerSecond: 1_000 });
    expect([response.status, response.headers.get('location')]).toEqual([202, `/api/bulk/${ID}`]);
    expect(await response.json()).toEqual({
      ...{ id: ID, action: 'retry', filter: { name: 'echo', createdAfter: '1970-01-01T00:00:00.001Z' }, state: 'running' },
      ...{ ratePerSecond: 5, examined: 3, done: 2, skipped: 1, requestedBy: 'tester', reason: 'why not', error: null },
      ...{ createdAt: '1970-01-01T00:00:00.001Z', updatedAt: '1970-01-01T00:00:00.002Z', finishedAt: null },
    });
    expect(front.tasks.bulks).toEqual([
      {
        ...{ tenant: 't1', action: 'retry', reason: 'the bank is back', ratePerSecond: 1_000, requestedBy: 'tester', idempotency: null },
        filter: { ...filter, createdAfter: Date.UTC(2025, 11, 31, 23) },
      },
    ]);
  });

  it('has the configured rate unless it says so itself', async () => {
    await start(BULK);
    expect(front.tasks.bulks).toMatchObject([{ ratePerSecond: 7, filter: { name: 'echo' } }]);
  });

  it('is replayed for the same Idempotency-Key, which is another one than the same key of a task', async () => {
    const headers = { 'idempotency-key': 'k' };
    expect((await start(BULK, headers)).status).toBe(202);
    const again = await start(BULK, headers);
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([200, 'true']);
    await front.post('/api/tasks', { name: 'echo' }, headers);
    const [bulk] = front.tasks.bulks;
    expect(front.tasks.submitted[0]?.idempotency?.keyHash).not.toEqual(bulk?.idempotency?.keyHash);
    expect((await start(BULK, { 'idempotency-key': ' ' })).status).toBe(400);
  });

  it.each<[string, object, string, string]>([
    ['no action', { ...BULK, action: undefined }, '/action', 'unknown-value'],
    ['another action', { ...BULK, action: 'delete' }, '/action', 'unknown-value'],
    ['no reason', { ...BULK, reason: undefined }, '/reason', 'invalid-text'],
    ['an empty reason', { ...BULK, reason: ' ' }, '/reason', 'invalid-text'],
    ['a long reason', { ...BULK, reason: 'r'.repeat(501) }, '/reason', 'invalid-text'],
    ['no filter', { ...BULK, filter: undefined }, '/filter', 'not-an-object'],
    ['a filter that is a list', { ...BULK, filter: [] }, '/filter', 'not-an-object'],
    ['an empty filter', { ...BULK, filter: {} }, '/filter', 'empty-filter'],
    ['an unknown field', { ...BULK, dryRun: true }, '/dryRun', 'unknown-field'],
    ['an unknown field of the filter', { ...BULK, filter: { tenant: 't2' } }, '/filter/tenant', 'unknown-field'],
    ['an unknown state', { ...BULK, filter: { state: 'dead' } }, '/filter/state', 'unknown-value'],
    ['an unknown reason', { ...BULK, filter: { reason: 'none' } }, '/filter/reason', 'unknown-value'],
    ['a name that is none', { ...BULK, filter: { name: '%' } }, '/filter/name', 'invalid-name'],
    ['a time that is none', { ...BULK, filter: { createdAfter: 'now' } }, '/filter/createdAfter', 'invalid-timestamp'],
    ['discarded as text', { ...BULK, filter: { discarded: 'true' } }, '/filter/discarded', 'unknown-value'],
    ['a rate of nothing', { ...BULK, ratePerSecond: 0 }, '/ratePerSecond', 'out-of-range'],
    ['a rate beyond the bound', { ...BULK, ratePerSecond: 1_001 }, '/ratePerSecond', 'out-of-range'],
    ['retrying what runs', { ...BULK, filter: { state: 'running' } }, '/filter/state', 'conflicting-fields'],
    ['retrying what succeeded', { ...BULK, filter: { state: 'succeeded' } }, '/filter/state', 'conflicting-fields'],
    ['cancelling what failed', { ...BULK, action: 'cancel', filter: { state: 'failed' } }, '/filter/state', 'conflicting-fields'],
    ['discarding what expired', { ...BULK, action: 'discard', filter: { state: 'expired' } }, '/filter/state', 'conflicting-fields'],
    ['cancelling by reason', { ...BULK, action: 'cancel', filter: { reason: 'poison' } }, '/filter/reason', 'conflicting-fields'],
    ['a reason of expired tasks', { ...BULK, filter: { state: 'expired', reason: 'poison' } }, '/filter/reason', 'conflicting-fields'],
    ['discarding twice', { ...BULK, action: 'discard', filter: { discarded: true } }, '/filter/discarded', 'conflicting-fields'],
    [
      'times in disorder',
      { ...BULK, filter: { createdAfter: '2026-01-01T00:00:00Z', createdBefore: '2026-01-01T00:00:00Z' } },
      '/filter/createdBefore',
      'conflicting-fields',
    ],
  ])('is refused with %s', async (_, body, pointer, code) => {
    const response = await start(body);
    expect([response.status, await response.json()]).toEqual([
      422,
      expect.objectContaining({ code: 'validation-failed', errors: [expect.objectContaining({ pointer, code })] }),
    ]);
    expect(front.tasks.bulks).toEqual([]);
  });

  it('needs a body, and one that is not large', async () => {
    expect((await front.call('/api/bulk', { method: 'POST' })).status).toBe(400);
    expect((await start({ ...BULK, filter: { name: 'x'.repeat(17_000) } })).status).toBe(413);
  });

  it('needs tasks:write, and to cancel tasks:cancel as well', async () => {
    const cancel = { ...BULK, action: 'cancel' };
    expect((await start(BULK, as(['tasks:write']))).status).toBe(202);
    expect((await start({ ...BULK, action: 'discard' }, as(['tasks:write']))).status).toBe(202);
    expect((await start(BULK, as(['tasks:read', 'tasks:cancel', 'admin']))).status).toBe(403);
    expect((await start(cancel, as(['tasks:write']))).status).toBe(403);
    expect((await start(cancel, as(['tasks:cancel']))).status).toBe(403);
    expect((await start(cancel, as(['tasks:write', 'tasks:cancel']))).status).toBe(202);
    expect(front.tasks.bulks.map(({ action }) => action)).toEqual(['retry', 'discard', 'cancel']);
  });

  it('is read, listed and aborted', async () => {
    expect(await (await front.call(`/api/bulk/${ID}`)).json()).toMatchObject({ id: ID, state: 'running' });
    const page = (await (await front.call('/api/bulk?limit=1')).json()) as { items: object[]; nextCursor: string };
    expect(page.items).toMatchObject([{ id: ID }]);
    expect(await (await front.call(`/api/bulk?cursor=${page.nextCursor}`)).json()).toEqual({ items: [], nextCursor: null });
    expect((await front.call(`/api/tasks?cursor=${page.nextCursor}`)).status).toBe(400);
    const aborted = await front.call(`/api/bulk/${ID}/abort`, { method: 'POST' });
    expect([aborted.status, await aborted.json()]).toEqual([
      200,
      expect.objectContaining({ state: 'aborted', finishedAt: '1970-01-01T00:00:00.003Z' }),
    ]);
    expect((await front.call('/api/bulk/x')).status).toBe(400);
  });

  it('is aborted for a reason, where one is given', async () => {
    front.tasks.operatorCalls.length = 0;
    expect((await front.post(`/api/bulk/${ID}/abort`, { reason: 'it does no good' })).status).toBe(200);
    expect((await front.post(`/api/bulk/${ID}/abort`, '')).status).toBe(200);
    expect((await front.post(`/api/bulk/${ID}/abort`, { reason: ' ' })).status).toBe(422);
    expect(front.tasks.operatorCalls).toEqual([
      { action: 'abort', actor: 'tester', reason: 'it does no good' },
      { action: 'abort', actor: 'tester', reason: '' },
    ]);
  });

  it('counts the characters of its reason, not the halves of them', async () => {
    expect((await start({ ...BULK, reason: '🦄'.repeat(500) })).status).toBe(202);
    expect((await start({ ...BULK, reason: '🦄'.repeat(501) })).status).toBe(422);
  });

  it('has keys that no task can have', async () => {
    await start(BULK, { 'idempotency-key': 'k' });
    const hash = front.tasks.bulks[0]?.idempotency?.keyHash.toString('hex');
    const others = ['k', 'bulk k', 'bulkk'].map((key) => idempotencyClaim(key, BULK).keyHash.toString('hex'));
    expect(others).not.toContain(hash);
  });

  it('does not exist for another tenant', async () => {
    const headers = { authorization: `Bearer ${front.token({ tenant: 't2' })}` };
    expect((await front.call(`/api/bulk/${ID}`, { headers })).status).toBe(404);
    expect((await front.call(`/api/bulk/${ID}/abort`, { method: 'POST', headers })).status).toBe(404);
    expect(await (await front.call('/api/bulk', { headers })).json()).toEqual({ items: [], nextCursor: null });
  });
});
