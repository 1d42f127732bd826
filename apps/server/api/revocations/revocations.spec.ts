import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { issueToken, type SigningKey, TokenKeys } from '@app/auth';
import { Unavailable } from '@app/errors';
import { startFront, type Front } from '../../../../test/support/front.js';

let front: Front;
beforeAll(async () => {
  front = await startFront();
});
afterAll(() => front.close());

let names = 0;
/** A caller of a tenant that no other test uses. */
function caller(tenant = `t${(names += 1)}x`) {
  const key = front.app.get<unknown, SigningKey>(TokenKeys, { strict: false });
  const tokenOf = (subject: string, tokenId?: string): Record<string, string> => {
    const request = { tenant, subject, scopes: ['keys:manage', 'tasks:read'] as const, ttlMs: 600_000 };
    return { authorization: `Bearer ${issueToken(key, front.clock, { ...request, ...(tokenId === undefined ? {} : { tokenId }) })}` };
  };
  const keeper = tokenOf('root');
  return {
    tokenOf,
    revoke: (body: object) => front.post('/api/revocations', { reason: 'stolen', ...body }, keeper),
    lift: (id: string) => front.call(`/api/revocations/${id}`, { method: 'DELETE', headers: keeper }),
    list: async (query = '') =>
      (await front.call(`/api/revocations${query}`, { headers: keeper })).json() as Promise<{
        items: { id: string }[];
        nextCursor: string | null;
      }>,
    read: async (headers: Record<string, string>) => {
      const response = await front.call('/api/tasks', { headers });
      const { code = 'ok' } = (await response.json()) as { code?: string };
      return code;
    },
  };
}

describe('revocations', () => {
  it('of one token stop it at once, though it was verified before, and no other', async () => {
    const { tokenOf, revoke, read } = caller();
    const [stolen, other] = [tokenOf('ann', 'one'), tokenOf('ann', 'two')];
    expect([await read(stolen), await read(other)]).toEqual(['ok', 'ok']);
    const response = await revoke({ tokenId: 'one' });
    expect([response.status, await response.json()]).toEqual([
      201,
      {
        ...{ id: expect.any(String), tokenId: 'one', subject: null, everything: false, before: null, reason: 'stolen', liftedAt: null },
        ...{ revokedAt: '2026-01-01T00:00:00.000Z', revokedBy: 'root', expiresAt: '2026-01-02T00:00:00.000Z' },
      },
    ]);
    expect([await read(stolen), await read(other)]).toEqual(['invalid-token', 'ok']);
    expect(front.lines).toContainEqual(expect.objectContaining({ msg: 'a token was refused', reason: 'revoked' }));
  });

  it('of a subject stop what was issued before, and can be taken back', async () => {
    const { tokenOf, revoke, read, lift, list } = caller();
    const old = tokenOf('ann');
    front.clock.advance(1_000);
    const before = new Date(front.clock.now()).toISOString();
    const { id } = (await (await revoke({ subject: 'ann', before })).json()) as { id: string };
    expect([await read(old), await read(tokenOf('ann')), await read(tokenOf('bob'))]).toEqual(['invalid-token', 'ok', 'ok']);
    expect([(await lift(id)).status, (await lift(id)).status]).toEqual([204, 204]);
    expect(await read(old)).toBe('ok');
    expect((await list()).items).toEqual([expect.objectContaining({ id, subject: 'ann', before, liftedAt: expect.any(String) })]);
  });

  it('of everything stop the whole tenant, whoever asked for it too, and no other tenant', async () => {
    const [mine, theirs] = [caller(), caller()];
    const [own, foreign] = [mine.tokenOf('ann'), theirs.tokenOf('ann')];
    front.clock.advance(1_000);
    expect((await mine.revoke({ everything: true })).status).toBe(201);
    expect([await mine.read(own), await theirs.read(foreign)]).toEqual(['invalid-token', 'ok']);
    expect((await mine.revoke({ everything: true })).status).toBe(401);
  });

  it("are listed by pages, and are a stranger's to another tenant", async () => {
    const [mine, theirs] = [caller(), caller()];
    for (const tokenId of ['a', 'b', 'c']) await mine.revoke({ tokenId });
    const first = await mine.list('?limit=2');
    expect(first.items).toMatchObject([{ tokenId: 'c' }, { tokenId: 'b' }]);
    expect(await mine.list(`?limit=2&cursor=${first.nextCursor}`)).toMatchObject({ items: [{ tokenId: 'a' }], nextCursor: null });
    expect((await theirs.list()).items).toEqual([]);
    expect((await theirs.lift(first.items[0]?.id ?? '')).status).toBe(404);
    expect((await mine.lift('x')).status).toBe(400);
  });

  it.each<[string, object, string, string]>([
    ['nobody', {}, '', 'conflicting-fields'],
    ['two', { tokenId: 'a', subject: 'b' }, '', 'conflicting-fields'],
    ['everything that is false', { everything: false }, '/everything', 'unknown-value'],
    ['no reason', { tokenId: 'a', reason: undefined }, '/reason', 'invalid-text'],
    ['an empty subject', { subject: '' }, '/subject', 'invalid-text'],
    ['a long token id', { tokenId: 'x'.repeat(129) }, '/tokenId', 'invalid-text'],
    ['a subject that no token can have', { subject: 'é' }, '/subject', 'invalid-text'],
    ['a list of subjects', { subject: ['a'] }, '/subject', 'invalid-text'],
    ['a moment for one token', { tokenId: 'a', before: '2026-01-01T00:00:00Z' }, '/before', 'conflicting-fields'],
    ['a moment to come', { everything: true, before: '2027-01-01T00:00:00Z' }, '/before', 'out-of-range'],
    ['a moment that is none', { everything: true, before: 'now' }, '/before', 'invalid-timestamp'],
    ['another tenant', { everything: true, tenant: 't2' }, '/tenant', 'unknown-field'],
  ])('are refused for %s', async (_, body, pointer, code) => {
    const { revoke, list } = caller();
    const response = await revoke(body);
    expect([response.status, await response.json()]).toEqual([
      422,
      expect.objectContaining({ code: 'validation-failed', errors: [expect.objectContaining({ pointer, code })] }),
    ]);
    expect((await list()).items).toEqual([]);
  });

  it('that could not be read for half a minute stop every call with a token, and no longer than that', async () => {
    const { tokenOf, read } = caller();
    const token = tokenOf('ann');
    expect(await read(token)).toBe('ok');
    front.revocations.failure = new Unavailable('away');
    front.clock.advance(30_001);
    expect(await read(token)).toBe('dependency-unavailable');
    front.revocations.failure = null;
    expect(await read(token)).toBe('ok');
  });
});
