/** What belongs to another tenant is not there, whoever asks and however. */
import { expect, it } from '@jest/globals';
import { sql } from '@app/database';
import { NotFound } from '@app/errors';
import { TASK_STATES } from '@app/tasks';
import { bytesOf } from '../../support/store.js';
import { taskIn } from '../../support/store-states.js';
import { onEveryStore } from '../../support/store-suite.js';

const STRANGERS = ['other', 'ACME', '%', '*'];

onEveryStore('another tenant', (current) => {
  it.each(STRANGERS)('named %j cannot see, count, cancel, retry or wait for a task', async (stranger) => {
    const store = current();
    const never = new AbortController().signal;
    const tasks = await Promise.all(TASK_STATES.map((state) => taskIn(store, state, { tags: ['secret'], queue: 'private' })));
    const before = await Promise.all(tasks.map(({ id }) => store.row(id)));
    for (const { id, state } of tasks) {
      await expect(store.reader.get(stranger, id)).rejects.toBeInstanceOf(NotFound);
      expect(await store.reader.find(stranger, bytesOf(id))).toBeNull();
      await expect(store.reader.attempts(stranger, id)).rejects.toBeInstanceOf(NotFound);
      await expect(store.canceller.cancel(stranger, id, 'spy')).rejects.toBeInstanceOf(NotFound);
      await expect(store.retrier.retry(stranger, id, 'spy')).rejects.toBeInstanceOf(NotFound);
      for (const filter of [{}, { state }, { tag: 'secret' }, { queue: 'private' }, { name: 'echo' }]) {
        expect(await store.reader.list(stranger, filter, { limit: 2, cursor: null })).toEqual({ items: [], nextCursor: null });
        expect(await store.reader.list(stranger, filter, { limit: 10, cursor: 'ffffffff-ffff-ffff-ffff-ffffffffffff' })).toMatchObject({
          items: [],
        });
      }
    }
    const succeeded = tasks[TASK_STATES.indexOf('succeeded')]!;
    await expect(
      store.waiter.wait(stranger, succeeded.id, 300, never).then((view) => view ?? Promise.reject(new NotFound())),
    ).rejects.toBeInstanceOf(NotFound);
    expect(await store.queues.list(stranger)).toEqual([]);
    await expect(store.queues.resume(stranger, 'private', 'someone')).rejects.toBeInstanceOf(NotFound);
    expect(await Promise.all(tasks.map(({ id }) => store.row(id)))).toEqual(before);
    expect(await store.count(sql`cancel_requests`)).toBe(0);
  });

  it('has its own queues of the same name, with its own depth and its own pause', async () => {
    const store = current();
    await store.addMany(3, { queue: 'shared' });
    await store.add({ queue: 'shared', tenant: 'other' });
    await store.queues.pause('other', 'shared', 'them');
    expect(await store.queues.list('acme')).toMatchObject([{ name: 'shared', paused: false, depth: { queued: 3 } }]);
    expect(await store.queues.list('other')).toMatchObject([{ name: 'shared', paused: true, pausedBy: 'them', depth: { queued: 1 } }]);
    expect(await store.queues.pauses()).toEqual([{ tenant: 'other', queue: 'shared' }]);
  });

  it('shares a tag without sharing tasks', async () => {
    const store = current();
    const mine = await store.add({ tags: ['t'] });
    const theirs = await store.add({ tags: ['t'], tenant: 'other' });
    const ids = async (tenant: string): Promise<string[]> =>
      (await store.reader.list(tenant, { tag: 't' }, { limit: 10, cursor: null })).items.map(({ id }) => id);
    expect(await ids('acme')).toEqual([mine.id]);
    expect(await ids('other')).toEqual([theirs.id]);
  });
});
