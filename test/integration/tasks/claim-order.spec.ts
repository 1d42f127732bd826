/** Tasks of one moment still have one order, the same for everybody who looks and however often: that of their ids (SW-3). */
import { expect, it } from '@jest/globals';
import { sql } from '@app/database';
import type { ClaimedTask } from '@app/tasks';
import { newTask, type Store } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';

const PLACE = { queue: 'default', lane: 'normal', tenant: 'acme' } as const;
const noTrying = (): void => undefined;

/** Of several submitting processes, interleaved, and all of one createdAt; in the order that the ids give. */
async function ofOneMoment(store: Store, count: number): Promise<string[]> {
  store.doorbell.window = 'shut';
  const submitters = [store.submitterOf(), store.submitterOf(), store.submitterOf()];
  await Promise.all(Array.from({ length: count }, (_, index) => submitters[index % 3]!.submit(newTask())));
  await store.raw.execute(sql`UPDATE tasks SET created_at = 1, run_at = 1`);
  const found = await store.raw.query<{ id: Buffer }>(sql`SELECT id FROM tasks`);
  return found.map(({ id }) => id.toString('hex')).sort();
}

onEveryStore('the order of claims', (current) => {
  it('is total: tasks of the same createdAt are claimed in the order of their ids (SW-3)', async () => {
    const store = current();
    const order = await ofOneMoment(store, 60);
    const claimed: string[] = [];
    for (const [most, worker] of [
      [7, await store.hire()],
      [1, await store.hire()],
      [20, await store.hire()],
      [60, await store.hire()],
    ] as const) {
      const taken = await store.claimer.claimBacklog(worker, PLACE, most, noTrying);
      expect(taken).toHaveLength(Math.min(most, order.length - claimed.length));
      claimed.push(...taken.map(({ bytes }) => bytes.toString('hex')).sort());
    }
    expect(claimed).toEqual(order);
  });

  it('is stable: what was given back is claimed in the same order again (SW-3)', async () => {
    const store = current();
    const order = await ofOneMoment(store, 12);
    for (let round = 1; round <= 3; round += 1) {
      const worker = await store.hire();
      const claimed: ClaimedTask[] = [];
      for (let step = 0; step < 4; step += 1) claimed.push(...(await store.claimer.claimBacklog(worker, PLACE, 3, noTrying)));
      const groups = [0, 3, 6, 9].map((from) =>
        claimed
          .slice(from, from + 3)
          .map(({ bytes }) => bytes.toString('hex'))
          .sort(),
      );
      expect(groups.flat()).toEqual(order);
      // In any order, and at different times.
      for (const task of [...claimed].reverse())
        await store.settle(worker, task, { kind: 'released', delayMs: 0, error: null, unhandled: false });
    }
  });

  it('is that of the list too, newest first, page by page (SW-3)', async () => {
    const store = current();
    const order = await ofOneMoment(store, 25);
    const listed: string[] = [];
    for (let cursor: string | null = null, pages = 0; pages < 10; pages += 1) {
      const page = await store.reader.list('acme', {}, { limit: 4, cursor });
      listed.push(...page.items.map(({ id }) => id.replaceAll('-', '')));
      cursor = page.nextCursor;
      if (cursor === null) break;
    }
    expect(listed).toEqual([...order].reverse());
  });
});
