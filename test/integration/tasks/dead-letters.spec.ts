/** Dead letters: finding them, counting them, putting them aside, and sending one round again with another payload. */
import { expect, it } from '@jest/globals';
import { sql } from '@app/database';
import { InvalidState, NotFound } from '@app/errors';
import { TASK_STATES, type TaskFilter } from '@app/tasks';
import { bytesOf, OOPS, type Store } from '../../support/store.js';
import { taskIn } from '../../support/store-states.js';
import { onEveryStore } from '../../support/store-suite.js';

const DEAD: TaskFilter = { state: 'failed', discarded: false };
const poisoned = { kind: 'failed', reason: 'poison', error: OOPS, timedOut: false } as const;
const broken = { kind: 'failed', reason: 'permanent_error', error: OOPS, timedOut: false } as const;

async function idsOf(store: Store, filter: TaskFilter, limit = 200): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | null = null;
  do {
    const page: { items: { id: string }[]; nextCursor: string | null } = await store.reader.list('acme', filter, { limit, cursor });
    ids.push(...page.items.map(({ id }) => id));
    cursor = page.nextCursor;
  } while (cursor !== null);
  return ids;
}

onEveryStore('dead letters', (current) => {
  it('are what has failed and is not discarded, newest first, with reason and error', async () => {
    const store = current();
    for (const state of TASK_STATES) await taskIn(store, state);
    const older = await idsOf(store, DEAD);
    const worker = await store.hire();
    const newer = await store.finish(worker, poisoned);
    expect(await idsOf(store, DEAD)).toEqual([newer.id, ...older]);
    const { items } = await store.reader.list('acme', DEAD, { limit: 1, cursor: null });
    expect(items).toMatchObject([{ id: newer.id, state: 'failed', discarded: false, reason: 'poison', lastError: OOPS }]);
    await store.discarder.discard('acme', newer.id, 'someone');
    expect(await idsOf(store, DEAD)).toEqual(older);
    expect(await idsOf(store, { state: 'failed' })).toEqual([newer.id, ...older]);
    expect(await idsOf(store, { discarded: true })).toEqual([newer.id]);
    expect(await idsOf(store, { discarded: false })).toHaveLength(TASK_STATES.length);
  });

  it('are counted for few at a time, however many ask at once', async () => {
    const store = current();
    await taskIn(store, 'failed');
    store.database.reset();
    const outcomes = await Promise.allSettled(Array.from({ length: 700 }, () => store.deadLetters.summary('acme')));
    expect(store.database.busiest).toBe(2);
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => reason as unknown);
    expect(refused).toHaveLength(198);
    for (const reason of refused) expect(reason).toMatchObject({ kind: 'unavailable' });
    expect(await store.deadLetters.summary('acme')).toMatchObject({ total: 1 });
  });

  it('are found by reason, name, queue and tag, alone and together', async () => {
    const store = current();
    const worker = await store.hire();
    const one = await store.finish(worker, poisoned, { queue: 'a', tags: ['t'] });
    const two = await store.finish(worker, broken, { queue: 'a', tags: ['t', 'u'] });
    const three = await store.finish(worker, poisoned, { queue: 'b', name: 'other' });
    await store.add({ queue: 'a', tags: ['t'] });
    await store.discarder.discard('acme', (await store.finish(worker, poisoned, { queue: 'a', tags: ['t'] })).id, 'someone');
    const filters: [TaskFilter, string[]][] = [
      [{ reason: 'poison' }, [three.id, one.id]],
      [{ reason: 'permanent_error' }, [two.id]],
      [{ reason: 'unknown_handler' }, []],
      [{ queue: 'a' }, [two.id, one.id]],
      [{ tag: 't' }, [two.id, one.id]],
      [{ tag: 't', reason: 'poison' }, [one.id]],
      [{ name: 'other', reason: 'poison', queue: 'b' }, [three.id]],
      [{ name: 'other', queue: 'a' }, []],
    ];
    for (const [filter, ids] of filters)
      for (const limit of [1, 200]) expect(await idsOf(store, { ...filter, ...DEAD }, limit)).toEqual(ids);
    expect(await idsOf(store, { state: 'queued', reason: 'poison' })).toEqual([]);
    expect(await idsOf(store, { state: 'queued', discarded: true })).toEqual([]);
  });

  it('are counted by reason, name and queue, the discarded and the other tenants’ left out', async () => {
    const store = current();
    const worker = await store.hire();
    const dead = [await store.finish(worker, poisoned), await store.finish(worker, poisoned), await store.finish(worker, poisoned)];
    const other = await store.finish(worker, broken, { queue: 'b', name: 'other' });
    await store.discarder.discard('acme', (await store.finish(worker, poisoned)).id, 'someone');
    await store.finish(worker, poisoned, { tenant: 'other' });
    await store.finish(worker, { kind: 'succeeded', result: '1' });
    expect(await store.deadLetters.summary('acme')).toEqual({
      total: 4,
      countedUpTo: 10_000,
      groups: [
        {
          ...{ reason: 'poison', name: 'echo', queue: 'default', count: 3 },
          ...{ oldestFinishedAt: dead[0]!.finishedAt, newestFinishedAt: dead[2]!.finishedAt },
        },
        {
          ...{ reason: 'permanent_error', name: 'other', queue: 'b', count: 1 },
          ...{ oldestFinishedAt: other.finishedAt, newestFinishedAt: other.finishedAt },
        },
      ],
    });
    expect(await store.deadLetters.summary('nobody')).toEqual({ total: 0, countedUpTo: 10_000, groups: [] });
  });
});

onEveryStore('discarding', (current) => {
  it('leaves the task failed and everything else as it was', async () => {
    const store = current();
    const { id } = await taskIn(store, 'failed');
    const before = await store.row(id);
    const view = await store.discarder.discard('acme', id, 'someone');
    expect(view).toMatchObject({ id, state: 'failed', discarded: true, reason: 'permanent_error', lastError: OOPS });
    expect(await store.row(id)).toEqual({ ...before, ended: 'discarded', updated_at: view.updatedAt });
    expect(view).toEqual(await store.reader.get('acme', id));
  });

  it.each(TASK_STATES.filter((state) => state !== 'failed'))('refuses a task that is %s', async (state) => {
    const store = current();
    const { id } = await taskIn(store, state);
    const before = await store.row(id);
    await expect(store.discarder.discard('acme', id, 'someone')).rejects.toBeInstanceOf(InvalidState);
    expect(await store.row(id)).toEqual(before);
  });

  it('happens once, and not to another tenant’s task', async () => {
    const store = current();
    const { id } = await taskIn(store, 'failed');
    await expect(store.discarder.discard('other', id, 'spy')).rejects.toBeInstanceOf(NotFound);
    const outcomes = await Promise.allSettled([1, 2].map(() => store.discarder.discard('acme', id, 'someone')));
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await expect(store.discarder.discard('acme', id, 'someone')).rejects.toThrow('already discarded');
  });

  it('does not keep it from being retried', async () => {
    const store = current();
    const { id } = await taskIn(store, 'failed');
    await store.discarder.discard('acme', id, 'someone');
    expect(await store.retrier.retry('acme', id, 'someone')).toMatchObject({ state: 'queued', discarded: false, reason: null });
    expect(await store.claim(await store.hire(), id)).toMatchObject({ attempt: 2 });
  });
});

onEveryStore('retrying with another payload', (current) => {
  async function failedWithCheckpoint(store: Store): Promise<string> {
    const worker = await store.hire();
    const { id } = await store.add({ payload: '{"a":1,"b":[2]}' });
    const claimed = await store.claim(worker, id);
    expect(await store.checkpoints.write(worker, claimed, 'echo', '{"page":7}')).toBe(true);
    await store.settle(worker, claimed, broken);
    return id;
  }

  it('hands the new one to the handler, and drops the checkpoint of the old', async () => {
    const store = current();
    const id = await failedWithCheckpoint(store);
    const view = await store.retrier.retry('acme', id, 'someone', { payload: '{"a":2}' });
    expect(view).toMatchObject({ state: 'queued', payload: { a: 2 } });
    expect(await store.claim(await store.hire(), id)).toMatchObject({ payload: '{"a":2}' });
    expect(await store.checkpoints.read(bytesOf(id), 'echo')).toBeNull();
  });

  it.each([undefined, '{"a":1,"b":[2]}', '{ "b": [2], "a": 1 }'])('keeps the checkpoint where it is the same: %s', async (payload) => {
    const store = current();
    const id = await failedWithCheckpoint(store);
    await store.retrier.retry('acme', id, 'someone', payload === undefined ? {} : { payload });
    expect(await store.claim(await store.hire(), id)).toMatchObject({ payload: '{"a":1,"b":[2]}' });
    expect(await store.checkpoints.read(bytesOf(id), 'echo')).toBe('{"page":7}');
  });

  it('changes nothing where the retry is refused or does not come through', async () => {
    const store = current();
    const id = await failedWithCheckpoint(store);
    store.database.loseCommit();
    await expect(store.retrier.retry('acme', id, 'someone', { payload: '9' })).rejects.toThrow();
    const queued = await store.add();
    await expect(store.retrier.retry('acme', queued.id, 'someone', { payload: '9' })).rejects.toBeInstanceOf(InvalidState);
    await expect(store.retrier.retry('other', id, 'spy', { payload: '9' })).rejects.toBeInstanceOf(NotFound);
    expect(await store.count(sql`tasks WHERE payload = '9'`)).toBe(0);
    expect(await store.count(sql`task_checkpoints`)).toBe(1);
  });

  it('takes a payload as large as one may be', async () => {
    const store = current();
    const { id } = await taskIn(store, 'failed');
    const payload = JSON.stringify('x'.repeat(262_142));
    await store.retrier.retry('acme', id, 'someone', { payload });
    expect((await store.claim(await store.hire(), id)).payload).toHaveLength(262_144);
  });
});
