/** Lists: newest first, every task once, whatever the filter, the page and the moment. */
import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { sql } from '@app/database';
import { TASK_STATES, type TaskFilter, type TaskPage, type TaskState, type TaskView } from '@app/tasks';
import { bytesOf, newTask, OOPS, type Store } from '../../support/store.js';
import { taskIn } from '../../support/store-states.js';
import { onEveryStore } from '../../support/store-suite.js';

interface Walk {
  ids: string[];
  pages: number[];
}

/** Follows the cursors to the end; `between` happens after each page. */
async function walk(store: Store, filter: TaskFilter, limit: number, between?: () => Promise<unknown>): Promise<Walk> {
  const found: Walk = { ids: [], pages: [] };
  let cursor: string | null = null;
  do {
    const page: { items: TaskView[]; nextCursor: string | null } = await store.reader.list('acme', filter, { limit, cursor });
    found.ids.push(...page.items.map(({ id }) => id));
    found.pages.push(page.items.length);
    cursor = page.nextCursor;
    await between?.();
    if (found.pages.length > 500) throw new Error('the cursor goes round in circles');
  } while (cursor !== null);
  return found;
}

const newestFirst = (ids: readonly string[]): string[] => [...ids].sort().reverse();

function matches(task: TaskView, filter: TaskFilter): boolean {
  return (
    (filter.state === undefined || task.state === filter.state) &&
    (filter.name === undefined || task.name === filter.name) &&
    (filter.queue === undefined || task.queue === filter.queue) &&
    (filter.tag === undefined || task.tags.includes(filter.tag)) &&
    (filter.createdAfter === undefined || task.createdAt >= filter.createdAfter) &&
    (filter.createdBefore === undefined || task.createdAt < filter.createdBefore)
  );
}

onEveryStore('listing', (current) => {
  it('shows each task as a read by itself does', async () => {
    const store = current();
    const worker = await store.hire();
    for (const state of TASK_STATES) await taskIn(store, state, { tags: ['a', 'b'], metadata: { m: 1 } });
    const running = await store.add({ deadlineMs: 60_000 });
    await store.progress.write(worker, await store.claim(worker, running.id), 0.5, 'half');
    await store.canceller.cancel('acme', running.id, 'someone');
    const { items } = await store.reader.list('acme', {}, { limit: 200, cursor: null });
    expect(items).toHaveLength(9);
    for (const item of items) expect(item).toEqual(await store.reader.get('acme', item.id));
    expect(items[0]).toMatchObject({ id: running.id, cancelRequested: true, progress: { fraction: 0.5, message: 'half' } });
  });

  it('pages through tasks of the same instant, each once, newest first', async () => {
    const store = current();
    const added = await store.addMany(120);
    const order = newestFirst(added.map(({ id }) => id));
    for (const limit of [1, 7, 60, 119, 120, 200]) expect((await walk(store, {}, limit)).ids).toEqual(order);
    expect((await walk(store, {}, 50)).pages.slice(0, 3)).toEqual([50, 50, 20]);
  });

  it('has an empty end, and nothing of nothing', async () => {
    const store = current();
    expect(await store.reader.list('acme', {}, { limit: 10, cursor: null })).toEqual({ items: [], nextCursor: null });
    await store.add();
    expect(await store.reader.list('acme', {}, { limit: 10, cursor: '00000000-0000-0000-0000-000000000000' })).toEqual({
      items: [],
      nextCursor: null,
    });
    expect(await store.reader.list('acme', {}, { limit: 10, cursor: 'no cursor' })).toEqual({ items: [], nextCursor: null });
  });

  it.each(TASK_STATES)('filters by the state %s', async (state) => {
    const store = current();
    const added = await Promise.all([...TASK_STATES, ...TASK_STATES].map((each) => taskIn(store, each)));
    const wanted = added.filter((task) => task.state === state).map(({ id }) => id);
    expect(wanted).toHaveLength(2);
    expect((await walk(store, { state }, 1)).ids).toEqual(newestFirst(wanted));
    expect((await walk(store, { state }, 200)).ids).toEqual(newestFirst(wanted));
  });

  it('takes the lower bound of the time as included and the upper one as not', async () => {
    const store = current();
    const added: TaskView[] = [];
    for (let count = 0; count < 5; count += 1) added.push(await store.add());
    for (const { createdAt } of added) {
      const after = added.filter((task) => task.createdAt >= createdAt).map(({ id }) => id);
      const before = added.filter((task) => task.createdAt < createdAt).map(({ id }) => id);
      expect((await walk(store, { createdAfter: createdAt }, 2)).ids).toEqual(newestFirst(after));
      expect((await walk(store, { createdBefore: createdAt }, 2)).ids).toEqual(newestFirst(before));
    }
  });

  it('goes by the time of the database where the clock of the submitter differs', async () => {
    const store = current();
    const added = await store.addMany(3);
    // The ids were made by a clock that was eight seconds behind, or ahead.
    for (const shift of [8_000, -16_000]) {
      await store.raw.execute(sql`UPDATE tasks SET created_at = created_at + ${shift}, updated_at = updated_at + 60000`);
      const createdAt = (await store.row(added[0]!.id))['created_at'] as number;
      expect((await walk(store, { createdAfter: createdAt }, 10)).ids).toHaveLength(3);
      expect((await walk(store, { createdBefore: createdAt + 1 }, 10)).ids).toHaveLength(3);
      expect((await walk(store, { createdAfter: createdAt + 1 }, 10)).ids).toEqual([]);
      expect((await walk(store, { createdBefore: createdAt }, 10)).ids).toEqual([]);
    }
  });

  it('keeps its place while tasks come in: none twice, none of the old ones missed', async () => {
    const store = current();
    const old = (await store.addMany(40)).map(({ id }) => id);
    const { ids } = await walk(store, {}, 7, () => store.addMany(3));
    expect(ids).toEqual(newestFirst(old));
  });

  it('keeps its place while tasks change their state', async () => {
    const store = current();
    const worker = await store.hire();
    const old = newestFirst((await store.addMany(30)).map(({ id }) => id));
    let next = 0;
    const { ids } = await walk(store, {}, 5, async () => {
      for (let count = 0; count < 3; count += 1) {
        const id = old[(next += 1) % 30]!;
        const [claimed] = await store.claimer.claim(worker, [bytesOf(id)]);
        if (claimed !== undefined)
          await store.settle(worker, claimed, { kind: 'failed', reason: 'permanent_error', error: OOPS, timedOut: false });
      }
    });
    expect([...new Set(ids)]).toEqual(ids);
    expect(newestFirst(ids)).toEqual(old);
  });

  it('looks at a bounded number of rows, and says where to go on', async () => {
    const store = current();
    const needle = await store.add({ name: 'needle' });
    for (let round = 0; round < 11; round += 1) await store.addMany(500);
    const first = await store.reader.list('acme', { name: 'needle' }, { limit: 10, cursor: null });
    expect(first.items).toEqual([]);
    expect(first.nextCursor).not.toBeNull();
    expect(await walk(store, { name: 'needle' }, 10)).toEqual({ ids: [needle.id], pages: [0, 1] });
  });

  it('cuts a page of large tasks short, and misses none', async () => {
    const store = current();
    const payload = JSON.stringify('x'.repeat(500_000));
    const ids = (await store.addMany(20, { payload })).map(({ id }) => id);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: TaskPage = await store.reader.list('acme', {}, { limit: 20, cursor });
      expect(page.items.length).toBeLessThan(10);
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen.sort()).toEqual(ids.sort());
  });

  it('equals a plain filter over everything, for random tasks, filters and pages', async () => {
    const store = current();
    const word = fc.constantFrom('a', 'b', 'c');
    // Mostly absent: filters that leave nothing over prove nothing.
    const option = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
      fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: of });
    const task = fc.record({
      name: word,
      queue: word,
      tags: fc.uniqueArray(word, { maxLength: 2 }),
      state: fc.constantFrom<TaskState>(...TASK_STATES),
    });
    const wanted = fc.record({
      state: option(fc.constantFrom<TaskState>(...TASK_STATES)),
      name: option(word),
      queue: option(word),
      tag: option(word),
      after: option(fc.nat({ max: 29 })),
      before: option(fc.nat({ max: 29 })),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(task, { minLength: 1, maxLength: 30 }),
        fc.array(fc.tuple(wanted, fc.integer({ min: 1, max: 6 })), { minLength: 8, maxLength: 8 }),
        async (tasks, questions) => {
          await store.check();
          for (const { state, ...options } of tasks) await taskIn(store, state, options);
          const all = (await store.reader.list('acme', {}, { limit: 200, cursor: null })).items;
          expect(all).toHaveLength(tasks.length);
          for (const [{ after, before, ...rest }, limit] of questions) {
            const filter: TaskFilter = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
            if (after !== undefined) filter.createdAfter = all[after % all.length]!.createdAt;
            if (before !== undefined) filter.createdBefore = all[before % all.length]!.createdAt;
            const expected = all.filter((each) => matches(each, filter)).map(({ id }) => id);
            const { ids, pages } = await walk(store, filter, limit);
            expect(ids).toEqual(expected);
            expect(Math.max(...pages)).toBeLessThanOrEqual(limit);
          }
        },
      ),
      { numRuns: store.backend.name === 'sqlite' ? 25 : 8, endOnFailure: true },
    );
  }, 30_000);

  it('refuses nothing that a filter may hold, and finds it literally', async () => {
    const store = current();
    await store.submitter.submit(newTask({ tags: ["a'b"], name: 'x%' }));
    expect((await walk(store, { tag: "a'b" }, 10)).ids).toHaveLength(1);
    expect((await walk(store, { name: 'x%' }, 10)).ids).toHaveLength(1);
    expect((await walk(store, { name: 'x_' }, 10)).ids).toHaveLength(0);
    expect((await walk(store, { tag: "' OR 1=1 --" }, 10)).ids).toHaveLength(0);
  });
});
