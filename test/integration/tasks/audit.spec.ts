/** The audit log: everything an operator changes is told, with actor and reason, in the transaction of the change. */
import { expect, it } from '@jest/globals';
import { sql } from '@app/database';
import { InvalidState } from '@app/errors';
import { bytesOf, type Store } from '../../support/store.js';
import { taskIn } from '../../support/store-states.js';
import { onEveryStore } from '../../support/store-suite.js';

interface Told {
  kind: string;
  actor: string;
  detail: unknown;
}

async function eventsOf(store: Store, id: string): Promise<Told[]> {
  const found = await store.raw.query<{ kind: string; actor: string; detail: string }>(
    sql`SELECT kind, actor, detail FROM task_events WHERE task_id = ${bytesOf(id)} AND actor <> '' ORDER BY at, kind`,
  );
  return found.map(({ kind, actor, detail }) => ({ kind, actor, detail: JSON.parse(detail) }));
}

const entries = async (store: Store, tenant = 'acme') => (await store.audit.list(tenant, {}, { limit: 200, cursor: null })).items;

onEveryStore('the audit log', (current) => {
  it('tells of a retry, a cancellation and a discard, and so does the task', async () => {
    const store = current();
    const before = await store.now();
    const failed = await taskIn(store, 'failed');
    const running = await taskIn(store, 'running');
    const queued = await taskIn(store, 'queued');
    await store.discarder.discard('acme', failed.id, 'ann', 'old news');
    await store.retrier.retry('acme', failed.id, 'bob', { payload: '9', reason: 'the bank is back' });
    await store.canceller.cancel('acme', running.id, 'cid', 'wrong customer');
    await store.canceller.cancel('acme', queued.id, 'dan');
    const told = await entries(store);
    expect(told.map(({ id: _id, at: _at, ...rest }) => rest)).toEqual([
      { actor: 'dan', action: 'task.cancel', target: queued.id, reason: '', detail: { from: 'queued' } },
      { actor: 'cid', action: 'task.cancel', target: running.id, reason: 'wrong customer', detail: { from: 'running' } },
      {
        ...{ actor: 'bob', action: 'task.retry', target: failed.id, reason: 'the bank is back' },
        detail: { from: 'failed', payloadEdited: true },
      },
      { actor: 'ann', action: 'task.discard', target: failed.id, reason: 'old news', detail: { from: 'failed' } },
    ]);
    const now = await store.now();
    for (const { at } of told) expect(at >= before && at <= now).toBe(true);
    expect(await eventsOf(store, failed.id)).toEqual(
      expect.arrayContaining([
        { kind: 'discarded', actor: 'ann', detail: { from: 'failed', attempt: 1, reason: 'old news' } },
        { kind: 'retried', actor: 'bob', detail: { from: 'failed', attempt: 1, reason: 'the bank is back', payloadEdited: true } },
      ]),
    );
    expect(await eventsOf(store, running.id)).toEqual([
      { kind: 'cancel_requested', actor: 'cid', detail: { from: 'running', attempt: 1, reason: 'wrong customer' } },
    ]);
    expect(await eventsOf(store, queued.id)).toEqual([
      { kind: 'cancelled', actor: 'dan', detail: { from: 'queued', attempt: 0, reason: '' } },
    ]);
  });

  it('tells of queues that were really paused and resumed, also for all tenants', async () => {
    const store = current();
    await store.queues.pause('acme', 'q', 'ann', 'the bank is away');
    await store.queues.pause('acme', 'q', 'bob', 'me too');
    await store.queues.resume('acme', 'q', 'cid', 'it is back');
    await store.queues.resume('acme', 'q', 'dan');
    await store.queues.pauseEverywhere('ops', 'q', 'root', 'all of it');
    await store.queues.resumeEverywhere('ops', 'q', 'root', 'well again');
    const shown = ({ actor, action, target, reason, detail }: Awaited<ReturnType<typeof entries>>[number]) => ({
      ...{ actor, action, target, reason, detail },
    });
    expect((await entries(store)).map(shown)).toEqual([
      { actor: 'cid', action: 'queue.resume', target: 'q', reason: 'it is back', detail: { allTenants: false } },
      { actor: 'ann', action: 'queue.pause', target: 'q', reason: 'the bank is away', detail: { allTenants: false } },
    ]);
    expect((await entries(store, 'ops')).map(shown)).toEqual([
      { actor: 'root', action: 'queue.resume', target: 'q', reason: 'well again', detail: { allTenants: true } },
      { actor: 'root', action: 'queue.pause', target: 'q', reason: 'all of it', detail: { allTenants: true } },
    ]);
  });

  const moves: [string, 'failed' | 'queued', (store: Store, id: string) => Promise<unknown>][] = [
    ['a retry', 'failed', (store, id) => store.retrier.retry('acme', id, 'ann')],
    ['a discard', 'failed', (store, id) => store.discarder.discard('acme', id, 'ann')],
    ['a cancellation', 'queued', (store, id) => store.canceller.cancel('acme', id, 'ann')],
    ['a pause', 'queued', (store) => store.queues.pause('acme', 'default', 'ann')],
  ];

  it.each(moves)('tells of %s if and only if it happened', async (_, state, move) => {
    const store = current();
    const { id } = await taskIn(store, state);
    const before = [await store.row(id), await store.queues.pauses()];
    store.database.loseCommit();
    await expect(move(store, id)).rejects.toMatchObject({ kind: 'unavailable' });
    expect([await store.row(id), await store.queues.pauses()]).toEqual(before);
    expect(await entries(store)).toEqual([]);
    store.database.loseAnswer();
    await expect(move(store, id)).rejects.toMatchObject({ kind: 'unavailable' });
    expect([await store.row(id), await store.queues.pauses()]).not.toEqual(before);
    expect(await entries(store)).toHaveLength(1);
  });

  it.each(moves)('is in the transaction of %s: an entry that cannot be written takes the move with it', async (_, state, move) => {
    const store = current();
    const { id } = await taskIn(store, state);
    const before = [await store.row(id), await store.queues.pauses()];
    await store.raw.execute(sql`ALTER TABLE audit_entries RENAME TO audit_entries_away`);
    try {
      await expect(move(store, id)).rejects.toMatchObject({ code: 'database-error' });
    } finally {
      await store.raw.execute(sql`ALTER TABLE audit_entries_away RENAME TO audit_entries`);
    }
    expect([await store.row(id), await store.queues.pauses()]).toEqual(before);
    expect(await eventsOf(store, id)).toEqual([]);
  });

  it('tells nothing of what was refused', async () => {
    const store = current();
    const { id } = await taskIn(store, 'succeeded');
    await expect(store.retrier.retry('acme', id, 'ann')).rejects.toBeInstanceOf(InvalidState);
    await expect(store.canceller.cancel('acme', id, 'ann')).rejects.toBeInstanceOf(InvalidState);
    await expect(store.discarder.discard('acme', id, 'ann')).rejects.toBeInstanceOf(InvalidState);
    expect(await entries(store)).toEqual([]);
    expect(await eventsOf(store, id)).toEqual([]);
  });

  it('is read page by page, by action and actor, and by its own tenant only', async () => {
    const store = current();
    const tasks = await store.addMany(12);
    for (const [index, { id }] of tasks.entries()) await store.canceller.cancel('acme', id, index % 3 === 0 ? 'ann' : 'bob');
    await store.queues.pause('acme', 'q', 'ann');
    const walk = async (filter: object, limit: number): Promise<string[]> => {
      const targets: string[] = [];
      let cursor: string | null = null;
      do {
        const page: Awaited<ReturnType<Store['audit']['list']>> = await store.audit.list('acme', filter, { limit, cursor });
        targets.push(...page.items.map(({ target }) => target));
        cursor = page.nextCursor;
      } while (cursor !== null);
      return targets;
    };
    const newestFirst = tasks.map(({ id }) => id).reverse();
    for (const limit of [1, 5, 13, 200]) {
      expect(await walk({}, limit)).toEqual(['q', ...newestFirst]);
      expect(await walk({ action: 'task.cancel' }, limit)).toEqual(newestFirst);
      expect(await walk({ actor: 'ann' }, limit)).toEqual([
        'q',
        ...tasks.flatMap(({ id }, index) => (index % 3 === 0 ? [id] : [])).reverse(),
      ]);
      expect(await walk({ actor: 'ann', action: 'queue.pause' }, limit)).toEqual(['q']);
      expect(await walk({ actor: 'nobody' }, limit)).toEqual([]);
    }
    expect(await entries(store, 'other')).toEqual([]);
  });
});
