/** Limits as rows: who set what and why, told in the audit log in the same transaction, read by every book, bounded in number. */
import { expect, it } from '@jest/globals';
import { recordAudit } from '@app/audit';
import { sql } from '@app/database';
import { LimitBook, type LimitChange } from '@app/limits';
import { setterOf } from '../../support/limited.js';
import { onEveryStore } from '../../support/store-suite.js';
import { WIDE_LIMITS } from '../../support/wide-limits.js';

const CHANGE: LimitChange = { tenant: 'acme', queue: '', limits: {}, actor: 'ann', actorTenant: 'platform', reason: 'too loud' };

onEveryStore('the table of limits', (current) => {
  it('keeps who set what and why, the last one of each, and tells the audit log of every change', async () => {
    const store = current();
    const setter = setterOf(store);
    await setter.set({ ...CHANGE, limits: { 'tasks.queued': 5, weight: 2 } });
    await setter.set({ ...CHANGE, limits: { 'queue.depth': 7 }, queue: 'reports', actor: 'bob', reason: 'full' });
    await setter.set({ ...CHANGE, limits: { 'tasks.queued': 6, weight: null }, actor: 'bob', reason: 'better' });
    expect(await setter.rowsOf('acme')).toEqual([
      { queue: '', name: 'tasks.queued', value: 6, setBy: 'bob', reason: 'better', setAt: expect.any(Number) },
      { queue: 'reports', name: 'queue.depth', value: 7, setBy: 'bob', reason: 'full', setAt: expect.any(Number) },
    ]);
    expect(await setter.rowsOf('other')).toEqual([]);
    const { items } = await store.audit.list('platform', { action: 'limits.set' }, { limit: 10, cursor: null });
    expect(items.map(({ actor, target, reason, detail }) => ({ actor, target, reason, detail }))).toEqual([
      { actor: 'bob', target: 'acme', reason: 'better', detail: { queue: '', limits: { 'tasks.queued': 6, weight: null } } },
      { actor: 'bob', target: 'acme', reason: 'full', detail: { queue: 'reports', limits: { 'queue.depth': 7 } } },
      { actor: 'ann', target: 'acme', reason: 'too loud', detail: { queue: '', limits: { 'tasks.queued': 5, weight: 2 } } },
    ]);
  });

  it('changes nothing where the audit entry cannot be written', async () => {
    const store = current();
    const taken = store.ids.next();
    const entry = { tenant: 'platform', actor: 'x', action: 'x', target: 'x', reason: 'x' };
    await store.raw.execute(recordAudit(store.raw.dialect, taken, entry));
    const setter = setterOf({ ...store, ids: { next: () => taken } as never });
    await expect(setter.set({ ...CHANGE, limits: { weight: 3 } })).rejects.toMatchObject({ code: 'database-error' });
    expect(await store.count(sql`limits`)).toBe(0);
  });

  it('has a bound, beyond which limits can be changed and removed, and not added', async () => {
    const store = current();
    const setter = setterOf(store, 2);
    await setter.set({ ...CHANGE, limits: { 'tasks.queued': 5, weight: 2 } });
    await expect(setter.set({ ...CHANGE, tenant: 'other', limits: { weight: 2 } })).rejects.toMatchObject({ code: 'too-many-limits' });
    await setter.set({ ...CHANGE, limits: { weight: 3 } });
    await setter.set({ ...CHANGE, limits: { weight: null } });
    await setter.set({ ...CHANGE, tenant: 'other', limits: { weight: 2 } });
    expect(await store.count(sql`limits`)).toBe(2);
    expect(await store.count(sql`audit_entries`)).toBe(4);
  });

  it('is read by a book: the tenant before every tenant before the setting, a queue before its tenant', async () => {
    const store = current();
    const setter = setterOf(store);
    const book = new LimitBook(store.database, WIDE_LIMITS, 1_000, () => undefined);
    await setter.set({ ...CHANGE, tenant: '*', limits: { 'tasks.queued': 50, 'queue.depth': 40 } });
    await setter.set({ ...CHANGE, tenant: '*', queue: 'reports', limits: { 'queue.depth': 30 } });
    await setter.set({ ...CHANGE, limits: { 'tasks.queued': 500 } });
    await setter.set({ ...CHANGE, queue: 'mail', limits: { 'queue.depth': 20 } });
    await setter.set({ ...CHANGE, tenant: 'deep', limits: { 'queue.depth': 400 } });
    await store.raw.execute(
      sql`INSERT INTO limits (tenant, queue, name, value, set_at, set_by, reason) VALUES ('acme', '', 'of.a.later.build', 1, 1, '', '')`,
    );
    expect(book.of('acme')).toEqual(WIDE_LIMITS);
    await book.refresh();
    expect(book.of('acme')).toEqual({ ...WIDE_LIMITS, 'tasks.queued': 500, 'queue.depth': 40 });
    expect(book.of('unknown')).toEqual({ ...WIDE_LIMITS, 'tasks.queued': 50, 'queue.depth': 40 });
    const depths = (tenant: string) => ['reports', 'mail', 'else'].map((queue) => book.ofQueue(tenant, queue)['queue.depth']);
    expect([depths('acme'), depths('unknown'), depths('deep')]).toEqual([
      [30, 20, 40],
      [30, 40, 40],
      [400, 400, 400],
    ]);
  });

  it('is remembered while the database is away, and read no further than its bound', async () => {
    const store = current();
    await setterOf(store).set({ ...CHANGE, limits: { 'requests.burst': 1, 'tasks.queued': 5, weight: 2 } });
    let tooMany = 0;
    const book = new LimitBook(store.database, WIDE_LIMITS, 2, () => (tooMany += 1));
    await book.refresh();
    expect([book.of('acme'), tooMany]).toEqual([{ ...WIDE_LIMITS, 'requests.burst': 1, 'tasks.queued': 5 }, 1]);
    store.database.beAway(1, ['query']);
    await expect(book.refresh()).rejects.toMatchObject({ kind: 'unavailable' });
    expect(book.of('acme')['tasks.queued']).toBe(5);
  });
});
