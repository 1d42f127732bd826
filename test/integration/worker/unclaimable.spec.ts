/** One task that the database does not let go, among others: whatever claims it, the others run, and it is left alone for a while. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { sql } from '@app/database';
import { IntakeBench, PLACE, SLOTS } from '../../support/intake-bench.js';
import { onEveryStore } from '../../support/store-suite.js';
import { bytesOf } from '../../support/store.js';
import { until } from '../../support/until.js';

onEveryStore('a claim that the database refuses for one of its tasks', (current) => {
  let bench: IntakeBench;
  let slots: IntakeBench['slots'];
  let intake: IntakeBench['intake'];

  beforeEach(async () => {
    bench = await IntakeBench.set(current());
    ({ slots, intake } = bench);
  });

  afterEach(() => bench.end());

  // In a block of its own, so that the curse is lifted before the store is checked.
  describe('whatever claims it', () => {
    /** The counter of its claims is at its bound; where integers have none, a trigger says the same. */
    const curse = async (id: string): Promise<void> => {
      const { raw } = current();
      if (raw.dialect.engine === 'sqlite') {
        await raw.execute(
          sql`CREATE TRIGGER curse BEFORE UPDATE ON tasks WHEN NEW.attempt > 2147483647 BEGIN SELECT RAISE(ABORT, 'no'); END`,
        );
      }
      await raw.execute(sql`UPDATE tasks SET attempt = 2147483647 WHERE id = ${bytesOf(id)}`);
    };

    afterEach(async () => {
      const { raw } = current();
      if (raw.dialect.engine === 'sqlite') await raw.execute(sql`DROP TRIGGER curse`);
      await raw.execute(sql`UPDATE tasks SET attempt = 0 WHERE attempt = 2147483647`);
    });

    it('runs the others of the claim at once, and asks for that one no more for a minute', async () => {
      const store = current();
      const ids = (await store.addMany(6)).map(({ id }) => id);
      const [, , cursed = ''] = ids;
      await curse(cursed);
      await bench.take(ids);
      const others = ids.filter((id) => id !== cursed);
      await bench.succeeded(others);
      await until(() => slots.busy === 0, { what: 'every slot to be free' });
      const before = store.database.counts.batch;
      await bench.take([cursed]);
      expect(store.database.counts.batch).toBe(before);
      expect(await store.row(cursed)).toMatchObject({ state: 'queued' });
      expect(await intake.ready(new AbortController().signal)).toBe(true);
    });

    it('draws the others from the backlog, and then draws past it', async () => {
      const store = current();
      const ids = (await store.addMany(4)).map(({ id }) => id);
      await store.ringer.setAside(ids.map(bytesOf));
      const [cursed = '', ...others] = ids;
      await curse(cursed);
      expect(await intake.takeBacklog(PLACE, slots.reserve(2))).toBe(1);
      expect(await intake.takeBacklog(PLACE, slots.reserve(SLOTS))).toBe(2);
      await bench.succeeded(others);
      expect(await store.row(cursed)).toMatchObject({ state: 'queued', phase: 'unrung' });
    });

    it('is not divided any further once the lease is in doubt: what is left waits where workers look', async () => {
      const store = current();
      const ids = (await store.addMany(4)).map(({ id }) => id);
      const [cursed = '', ...others] = ids;
      await curse(cursed);
      store.database.interrupt(['batch'], () => {
        bench.lease.held = false;
        return Promise.resolve();
      });
      await bench.take(ids);
      expect([bench.runs, slots.busy]).toEqual([[], 0]);
      expect(await store.count(sql`tasks WHERE phase = 'unrung'`)).toBe(4);
      bench.lease.held = true;
      expect(await intake.takeBacklog(PLACE, slots.reserve(SLOTS))).toBe(3);
      await bench.succeeded(others);
    });

    it('runs the others within a limit', async () => {
      const store = current();
      bench.book.set('acme', { 'tasks.running': 7 });
      const ids = await bench.submitGated(3);
      const [cursed = '', ...others] = ids;
      await curse(cursed);
      await bench.makeTurn();
      slots.reserve(3);
      await intake.takeWithin('acme', ids.map(bytesOf));
      bench.release();
      await bench.succeeded(others);
      expect(await store.row(cursed)).toMatchObject({ state: 'queued', phase: 'unrung' });
    });
  });
});
