/** Revocations on real databases: written with their audit entry, followed by every process, and gone when they concern nothing. */
import { expect, it } from '@jest/globals';
import { pruneRevocations, Revocations, RevocationStore, type NewRevocation } from '@app/auth';
import { sql } from '@app/database';
import { ManualClock, type Store } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';

const KEPT_MS = 3_600_000;
const MAX = 3;
const WANTED: NewRevocation = { tenant: 'acme', kind: 'subject', value: 's', before: null, actor: 'root', reason: 'left the house' };
const PAGE = { limit: 200, cursor: null };

onEveryStore('revocations', (current) => {
  const storeOf = ({ database, ids }: Store, max = MAX) => new RevocationStore(database, ids, { keptMs: KEPT_MS, max });
  /** What another process knows. */
  const processOf = (store: Store) => new Revocations(storeOf(store), new ManualClock(), 30_000);

  async function standing(
    process: Revocations,
    issuedAt: number,
    { tenant = 'acme', subject = 's', tokenId = null as string | null } = {},
  ) {
    const principal = { tenant, subject, tokenId, scopes: new Set<never>(), credential: `sub:${subject}` };
    return process.assertStanding({ principal, issuedAt }).then(
      () => 'ok',
      (error: unknown) => (error as { code: string }).code,
    );
  }

  it('are stored with the time of the database and an entry of the audit log', async () => {
    const store = current();
    const from = await store.now();
    const view = await storeOf(store).add(WANTED);
    const to = await store.now();
    expect(view).toEqual({
      ...{ id: view.id, kind: 'subject', value: 's', before: view.revokedAt, revokedAt: view.revokedAt },
      ...{ expiresAt: view.revokedAt + KEPT_MS, revokedBy: 'root', reason: 'left the house', liftedAt: null },
    });
    expect(view.revokedAt).toBeGreaterThanOrEqual(from);
    expect(view.revokedAt).toBeLessThanOrEqual(to);
    const { items } = await store.audit.list('acme', {}, PAGE);
    const detail = { revocation: view.id, kind: 'subject', before: null };
    expect(items).toEqual([
      expect.objectContaining({ actor: 'root', action: 'token.revoke', target: 's', reason: 'left the house', detail }),
    ]);
  });

  it('reach another process with its next reading, and a new one with its first', async () => {
    const store = current();
    const running = processOf(store);
    expect(await standing(running, 1_000)).toBe('ok');
    await storeOf(store).add({ ...WANTED, before: 5_000 });
    await storeOf(store).add({ ...WANTED, kind: 'id', value: 'one' });
    await running.refresh();
    for (const process of [running, processOf(store)]) {
      expect([await standing(process, 4_999), await standing(process, 5_000)]).toEqual(['invalid-token', 'ok']);
      expect(await standing(process, 9_000, { subject: 'other', tokenId: 'one' })).toBe('invalid-token');
      expect(await standing(process, 4_999, { tenant: 'rival', tokenId: 'one' })).toBe('ok');
    }
  });

  it('that were taken back are forgotten by every process, once, and told in the audit log', async () => {
    const store = current();
    const running = processOf(store);
    const { id } = await storeOf(store).add({ ...WANTED, kind: 'tenant', value: '' });
    expect(await standing(running, 1)).toBe('invalid-token');
    await storeOf(store).lift('acme', id, 'root');
    await storeOf(store).lift('acme', id, 'root');
    await running.refresh();
    expect([await standing(running, 1), await standing(processOf(store), 1)]).toEqual(['ok', 'ok']);
    const { items } = await store.audit.list('acme', { action: 'token.restore' }, PAGE);
    expect(items).toEqual([expect.objectContaining({ actor: 'root', target: id, detail: { kind: 'tenant', value: '' } })]);
    expect((await storeOf(store).get('acme', id)).liftedAt).toBeGreaterThan(0);
  });

  it('belong to their tenant', async () => {
    const store = current();
    const { id } = await storeOf(store).add(WANTED);
    await expect(storeOf(store).lift('rival', id, 'root')).rejects.toMatchObject({ code: 'not-found' });
    await expect(storeOf(store).get('rival', id)).rejects.toMatchObject({ code: 'not-found' });
    expect(await storeOf(store).list('rival', PAGE)).toEqual({ items: [], nextCursor: null });
    expect((await storeOf(store).get('acme', id)).liftedAt).toBeNull();
  });

  it('are listed newest first, by pages', async () => {
    const store = current();
    const added = [];
    for (const value of ['a', 'b', 'c']) added.unshift(await storeOf(store).add({ ...WANTED, value }));
    const first = await storeOf(store).list('acme', { limit: 2, cursor: null });
    expect(first.items).toEqual(added.slice(0, 2));
    expect(await storeOf(store).list('acme', { limit: 2, cursor: first.nextCursor })).toEqual({ items: added.slice(2), nextCursor: null });
  });

  it('are bounded per tenant', async () => {
    const store = current();
    for (const value of ['a', 'b', 'c']) await storeOf(store).add({ ...WANTED, value });
    await expect(storeOf(store).add(WANTED)).rejects.toMatchObject({ code: 'too-many-revocations' });
    await storeOf(store).add({ ...WANTED, tenant: 'rival' });
    expect((await store.audit.list('acme', {}, PAGE)).items).toHaveLength(3);
  });

  it('are read whole, however many they are', async () => {
    const store = current();
    const rows = Array.from({ length: 2_500 }, () => store.ids.next());
    for (let at = 0; at < rows.length; at += 500) {
      await store.raw.batch(
        rows
          .slice(at, at + 500)
          .map(
            (id, index) =>
              sql`INSERT INTO token_revocations (id, tenant, kind, value, not_before, revoked_at, expires_at, revoked_by, reason, changed_at) VALUES (${id}, 'acme', 'id', ${`j${at + index}`}, 0, 1, ${Number.MAX_SAFE_INTEGER}, 'root', 'r', 7)`,
          ),
      );
    }
    const process = processOf(store);
    for (const tokenId of ['j0', 'j999', 'j1000', 'j2499']) expect(await standing(process, 1, { tokenId })).toBe('invalid-token');
    expect(await standing(process, 1, { tokenId: 'j2500' })).toBe('ok');
  });

  it('are deleted when every token that they could concern has ended, and not before', async () => {
    const store = current();
    await storeOf(store).add({ ...WANTED, value: 'kept' });
    const { id } = await storeOf(store).add({ ...WANTED, value: 'over' });
    await store.raw.execute(sql`UPDATE token_revocations SET expires_at = 1 WHERE value = 'over'`);
    expect(await pruneRevocations(store.database)).toEqual({ deleted: 1, again: false });
    await expect(storeOf(store).get('acme', id)).rejects.toMatchObject({ code: 'not-found' });
    expect((await storeOf(store).list('acme', PAGE)).items).toHaveLength(1);
  });
});
