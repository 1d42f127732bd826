/** The walk over old tasks: it reads no row again that it cannot delete, forgets none that it may delete later, and waits for nobody. */
import { expect, it } from '@jest/globals';
import type { Database } from '@app/database';
import { sql, type Row, type Sql } from '@app/database';
import type { FinalState } from '../../../libs/tasks/src/states.js';
import { TaskWalk } from '../../../libs/tasks/src/prune-tasks.js';
import { bytesOf, type Store } from '../../support/store.js';
import { taskIn } from '../../support/store-states.js';
import { onEveryStore } from '../../support/store-suite.js';
import { within } from '../../support/until.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Finished tasks in the order of their ids. */
async function finished(store: Store, ends: readonly FinalState[]): Promise<string[]> {
  const ids: string[] = [];
  for (const end of ends) ids.push((await taskIn(store, end)).id);
  return ids;
}

/** A walk over the store that says how many rows it has read since it was last asked. */
function walkOver(store: Store, states: readonly FinalState[]): { walk: TaskWalk; read: () => number } {
  let rows = 0;
  const counting = Object.create(store.database) as Database;
  counting.query = async <T extends object = Row>(statement: Sql): Promise<T[]> => {
    const found = await store.database.query<T>(statement);
    rows += found.length;
    return found;
  };
  return {
    walk: new TaskWalk(counting, states, DAY_MS),
    read: () => {
      const count = rows;
      rows = 0;
      return count;
    },
  };
}

const left = async (store: Store): Promise<string[]> =>
  (await store.raw.query<{ id: Buffer }>(sql`SELECT id FROM tasks ORDER BY id`)).map(({ id }) => id.toString('hex'));
const hex = (ids: readonly string[]): string[] => ids.map((id) => bytesOf(id).toString('hex'));

onEveryStore('the walk over finished tasks', (current, backend) => {
  it('reads what another walk keeps longer only once', async () => {
    const store = current();
    const ids = await finished(store, ['failed', 'failed', 'succeeded', 'failed']);
    const { walk, read } = walkOver(store, ['succeeded']);
    const later = (await store.now()) + DAY_MS + HOUR_MS;
    expect(await walk.step(later)).toEqual({ deleted: 1, again: false });
    expect(read()).toBe(4);
    expect(await walk.step(later + HOUR_MS)).toEqual({ deleted: 0, again: false });
    expect(read()).toBe(0);
    expect(await left(store)).toEqual(hex(ids.filter((_, index) => index !== 2)));
  });

  it('comes back to what it may delete later, and to nothing before that', async () => {
    const store = current();
    const [, running] = [await taskIn(store, 'failed'), await taskIn(store, 'running'), await taskIn(store, 'failed')];
    const { walk, read } = walkOver(store, ['succeeded']);
    const later = (await store.now()) + 2 * DAY_MS;
    expect(await walk.step(later)).toEqual({ deleted: 0, again: false });
    expect(read()).toBe(3);
    expect(await walk.step(later)).toEqual({ deleted: 0, again: false });
    expect(read()).toBe(2);
    const [claimed] = await store.claimer.running(await store.row(running.id).then((row) => row['worker_id'] as Buffer));
    await store.settle((await store.row(running.id))['worker_id'] as Buffer, claimed!, { kind: 'succeeded', result: '1' });
    expect(await walk.step(later)).toEqual({ deleted: 1, again: false });
    expect(await walk.step(later)).toEqual({ deleted: 0, again: false });
    read();
    expect(await walk.step(later)).toEqual({ deleted: 0, again: false });
    expect(read()).toBe(0);
  });

  it('finds within a day what an operator has sent round again behind it', async () => {
    const store = current();
    const [id] = await finished(store, ['failed']);
    const { walk } = walkOver(store, ['succeeded']);
    const later = (await store.now()) + 2 * DAY_MS;
    await walk.step(later);
    await store.retrier.retry('acme', id!, 'someone');
    const worker = await store.hire();
    await store.settle(worker, await store.claim(worker, id!), { kind: 'succeeded', result: '1' });
    expect(await walk.step(later + HOUR_MS)).toEqual({ deleted: 0, again: false });
    await walk.step(later + DAY_MS);
    expect(await walk.step(later + DAY_MS)).toEqual({ deleted: 1, again: false });
  });

  it('keeps a task that has ended anew between the look and the deletion', async () => {
    const store = current();
    const [id] = await finished(store, ['failed']);
    const later = (await store.now()) + 2 * DAY_MS;
    const { walk } = walkOver(store, ['failed']);
    store.database.interrupt(['transaction'], () =>
      store.raw.execute(sql`UPDATE tasks SET finished_at = ${later}, updated_at = ${later} WHERE id = ${bytesOf(id!)}`),
    );
    expect(await walk.step(later)).toEqual({ deleted: 0, again: false });
    expect(await left(store)).toEqual(hex([id!]));
    expect(await walk.step(later + 2 * DAY_MS)).toEqual({ deleted: 1, again: false });
  });

  // SQLite has one writer: nobody can hold a row.
  if (backend.name !== 'sqlite') {
    it('passes a task that somebody holds, and comes back for it', async () => {
      const store = current();
      const ids = await finished(store, ['failed', 'failed', 'failed']);
      const later = (await store.now()) + 2 * DAY_MS;
      const { walk } = walkOver(store, ['failed']);
      await store.raw.transaction(async (transaction) => {
        await transaction.query(sql`SELECT id FROM tasks WHERE id = ${bytesOf(ids[1]!)} FOR UPDATE`);
        expect(await within(walk.step(later), 2_000, 'the walk to pass')).toEqual({ deleted: 2, again: false });
      });
      expect(await walk.step(later)).toEqual({ deleted: 1, again: false });
    });
  }
});
