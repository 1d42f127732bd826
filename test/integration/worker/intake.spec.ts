/**
 * The worker's way from an id to a recorded outcome, on a real store whose answers get lost. Whatever happens to the answer of
 * a claim, the handler of a task that was claimed runs exactly once for that claim, and no slot is lost.
 */
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { list, sql } from '@app/database';
import { IntakeBench, PLACE, SLOTS } from '../../support/intake-bench.js';
import { onEveryStore } from '../../support/store-suite.js';
import { bytesOf } from '../../support/store.js';
import { until } from '../../support/until.js';

onEveryStore('the intake', (current, backend) => {
  let bench: IntakeBench;
  let lease: IntakeBench['lease'];
  let slots: IntakeBench['slots'];
  let executor: IntakeBench['executor'];
  let suspects: IntakeBench['suspects'];
  let intake: IntakeBench['intake'];
  let book: IntakeBench['book'];
  let runs: IntakeBench['runs'];

  beforeEach(async () => {
    bench = await IntakeBench.set(current());
    ({ lease, slots, executor, suspects, intake, book, runs } = bench);
  });

  afterEach(() => bench.end());

  it('runs what it is given', async () => {
    const ids = (await current().addMany(5)).map(({ id }) => id);
    await bench.take(ids);
    await bench.succeeded(ids);
    expect(runs.sort()).toEqual([...ids].sort());
  });

  it.each(['loseAnswer', 'loseCommit'] as const)('runs it once when the claim meets: %s', async (accident) => {
    const store = current();
    const ids = (await store.addMany(5)).map(({ id }) => id);
    store.database[accident](['batch']);
    await bench.take(ids);
    await bench.succeeded(ids);
    expect(runs.sort()).toEqual([...ids].sort());
    for (const id of ids) expect((await store.row(id))['attempt']).toBe(1);
  });

  it.each(['loseAnswer', 'loseCommit'] as const)('runs it once when the claim from the backlog meets: %s', async (accident) => {
    const store = current();
    const ids = (await store.addMany(5)).map(({ id }) => id);
    await store.ringer.setAside(ids.map(bytesOf));
    await bench.makeTurn();
    store.database[accident](['transaction']);
    const draw = () => intake.takeBacklog(PLACE, slots.reserve(SLOTS));
    // A transaction that never began has taken nothing; the next look finds the same tasks.
    expect(await draw()).toBe(accident === 'loseAnswer' ? 5 : 0);
    if (accident === 'loseCommit') expect(await draw()).toBe(5);
    await bench.succeeded(ids);
    expect(runs.sort()).toEqual([...ids].sort());
  });

  it('is ready again after a claim from the backlog that never began', async () => {
    const store = current();
    const ids = (await store.addMany(2)).map(({ id }) => id);
    await store.ringer.setAside(ids.map(bytesOf));
    store.database.beAway(1, ['transaction']);
    expect(await intake.takeBacklog(PLACE, slots.reserve(SLOTS))).toBe(0);
    expect(slots.busy).toBe(0);
    expect(await intake.ready(new AbortController().signal)).toBe(true);
    expect(await intake.takeBacklog(PLACE, slots.reserve(SLOTS))).toBe(2);
    await bench.succeeded(ids);
  });

  it.each(['loseAnswer', 'loseCommit'] as const)('keeps to a limit when the claim within it meets: %s', async (accident) => {
    const store = current();
    book.set('acme', { 'tasks.running': 2 });
    const ids = await bench.submitGated(5);
    await bench.makeTurn();
    store.database[accident](['transaction']);
    expect(slots.reserve(5)).toBe(5);
    await intake.takeWithin('acme', ids.map(bytesOf));
    expect(slots.busy).toBe(2);
    expect(await store.count(sql`tasks WHERE state = 'running'`)).toBe(2);
    expect(await store.count(sql`tasks WHERE phase = 'unrung'`)).toBe(3);
    expect(intake.isClosed({ tenant: 'acme', queue: 'default' })).toBe(true);
    bench.release();
    await until(() => !intake.isClosed({ tenant: 'acme', queue: 'default' }), { what: 'room' });
    await until(() => slots.busy === 0, { what: 'every slot to be free' });
    expect(await intake.takeBacklog(PLACE, slots.reserve(SLOTS))).toBe(2);
    await until(() => slots.busy === 0, { what: 'every slot to be free' });
    expect(await intake.takeBacklog(PLACE, slots.reserve(SLOTS))).toBe(1);
    await bench.succeeded(ids);
  });

  it('offers again at once what did not fit where a task of the tenant ends while the claim is under way', async () => {
    const store = current();
    book.set('acme', { 'tasks.running': 1 });
    const [first = '', ...others] = await bench.submitGated(3);
    slots.reserve(1);
    await intake.takeWithin('acme', [bytesOf(first)]);
    let unrung = -1;
    const offered = new Promise<void>((resolve) => {
      intake.onRoom = () => {
        void store.count(sql`tasks WHERE phase = 'unrung'`).then((count) => {
          unrung = count;
          if (count === others.length) resolve();
        });
      };
    });
    store.database.delayAnswer(['transaction'], async () => {
      bench.release();
      await until(() => slots.busy === others.length, { what: 'the first to end' });
    });
    slots.reserve(others.length);
    await intake.takeWithin('acme', others.map(bytesOf));
    await offered;
    expect(unrung).toBe(others.length);
    for (const place of [PLACE, PLACE]) {
      expect(await intake.takeBacklog(place, slots.reserve(SLOTS))).toBe(1);
      await until(() => slots.busy === 0, { what: 'every slot to be free' });
    }
    await bench.succeeded([first, ...others]);
  });

  it('looks again where a task of the tenant ends while a claim from the backlog finds it full', async () => {
    const store = current();
    book.set('acme', { 'tasks.running': 1 });
    const [first = '', second = ''] = await bench.submitGated(2);
    await store.ringer.setAside([bytesOf(second)]);
    await bench.makeTurn();
    // Not within the limit, so that the tenant is not thought full yet.
    await bench.take([first]);
    let rooms = 0;
    intake.onRoom = () => {
      rooms += 1;
    };
    store.database.delayAnswer(['transaction'], async () => {
      bench.release();
      await until(() => slots.busy === 1, { what: 'the first to end' });
    });
    expect(await intake.takeBacklog(PLACE, slots.reserve(1))).toBe(0);
    expect(rooms).toBe(1);
    expect(intake.isClosed(PLACE)).toBe(false);
    expect(await intake.takeBacklog(PLACE, slots.reserve(1))).toBe(1);
    await bench.succeeded([first, second]);
  });

  // SQLite has one writer: there is no such moment.
  if (backend.name !== 'sqlite') {
    it('does not wait for who stands still while it claims for a tenant, and looks again when that is over', async () => {
      const store = current();
      book.set('acme', { 'tasks.running': 1 });
      const [atDoor = '', inBacklog = ''] = await bench.submitGated(2);
      const [other] = await store.addMany(1, { tenant: 'other' });
      await store.ringer.setAside([bytesOf(inBacklog)]);
      await bench.makeTurn();
      let rooms = 0;
      intake.onRoom = () => {
        rooms += 1;
      };
      await store.raw.transaction(async (transaction) => {
        await transaction.query(sql`SELECT tenant FROM running_turns WHERE tenant = 'acme'${store.raw.dialect.lock}`);
        slots.reserve(1);
        await intake.takeWithin('acme', [bytesOf(atDoor)]);
        expect(await intake.takeBacklog(PLACE, slots.reserve(1))).toBe(0);
        expect(slots.busy).toBe(0);
        await bench.take([other?.id ?? '']);
        await bench.succeeded([other?.id ?? '']);
        expect(await intake.ready(new AbortController().signal)).toBe(true);
        await until(() => rooms > 0, { what: 'the next look' });
      });
      expect(await store.count(sql`tasks WHERE phase = 'unrung'`)).toBe(2);
      await until(() => !intake.isClosed(PLACE), { what: 'the pause to be over' });
      expect(await intake.takeBacklog(PLACE, slots.reserve(SLOTS))).toBe(1);
      bench.release();
      await until(() => slots.busy === 0, { what: 'every slot to be free' });
      expect(await intake.takeBacklog(PLACE, slots.reserve(SLOTS))).toBe(1);
      await bench.succeeded([atDoor, inBacklog]);
    });
  }

  it('waits for a database that is away, and gives every slot back', async () => {
    const store = current();
    const ids = (await store.addMany(3)).map(({ id }) => id);
    store.database.beAway(2, ['batch', 'query']);
    await bench.take(ids);
    await bench.succeeded(ids);
    expect(runs.sort()).toEqual([...ids].sort());
  });

  it('does not start twice what two messages name', async () => {
    const store = current();
    const [task] = await store.addMany(1, { name: 'gated' });
    const id = task?.id ?? '';
    await bench.take([id]);
    await bench.take([id]);
    expect(slots.busy).toBe(1);
    bench.release();
    await bench.succeeded([id]);
    expect(runs).toEqual([id]);
  });

  it('does not start again what ends while the answer to a second claim of it is on its way', async () => {
    const store = current();
    const [task] = await store.addMany(1, { name: 'gated' });
    const id = task?.id ?? '';
    await bench.take([id]);
    await until(() => runs.length === 1, { what: 'the handler to start' });
    store.database.delayAnswer(['batch'], async () => {
      bench.release();
      await until(() => executor.count === 0, { what: 'the outcome to be recorded' });
    });
    await bench.take([id]);
    await until(() => slots.busy === 0, { what: 'every slot to be free' });
    expect(runs).toEqual([id]);
  });

  it('runs a later attempt although an earlier one of the same task is still on its way out', async () => {
    const store = current();
    const [task] = await store.addMany(1, { name: 'gated' });
    const id = task?.id ?? '';
    await bench.take([id]);
    await until(() => runs.length === 1, { what: 'the first attempt to start' });
    await store.bury(lease.id);
    await store.sweeper.takeBack();
    await store.raw.execute(sql`UPDATE workers SET state = 'live' WHERE id = ${lease.id}`);
    await bench.take([id]);
    await until(() => runs.length === 2, { what: 'the second attempt to start' });
    bench.release();
    await bench.succeeded([id]);
    expect((await store.attempts(id)).map(({ outcome }) => outcome)).toEqual(['lost', 'succeeded']);
  });

  it('names what came too late when its worker is asked what it held, so that nobody is blamed for a crash that was none', async () => {
    const store = current();
    const [task] = await store.addMany(1, { name: 'gated' });
    const id = task?.id ?? '';
    await bench.take([id]);
    await until(() => runs.length === 1, { what: 'the handler to start' });
    await store.bury(lease.id);
    await store.sweeper.takeBack();
    expect(await store.row(id)).toMatchObject({ state: 'queued', crashes: 1 });
    bench.release();
    await until(() => executor.count === 0, { what: 'the outcome to be fenced' });
    await store.workers.survive(lease.id, executor.takeHeld());
    expect(await store.row(id)).toMatchObject({ state: 'queued', crashes: 0 });
    expect(executor.takeHeld()).toEqual([]);
  });

  it('draws on where the last claim ended, and goes back to the front at once where there is not enough', async () => {
    const store = current();
    // Who may be limited is drawn for in another way.
    await bench.limits.refresh();
    const ids = (await store.addMany(6)).map(({ id }) => id).sort();
    const [first = '', ...others] = ids;
    await store.ringer.setAside(others.map(bytesOf));
    const draw = (count: number): Promise<number> => intake.takeBacklog(PLACE, slots.reserve(count));
    expect(await draw(3)).toBe(3);
    await store.ringer.setAside([bytesOf(first)]);
    expect(await draw(1)).toBe(1);
    expect((await store.row(first)).state).toBe('queued');
    expect(await draw(3)).toBe(2);
    await bench.succeeded(ids);
    await until(() => slots.busy === 0, { what: 'every slot to be free' });
  });

  it('claims once where it began at the front, and not again once it is to stop', async () => {
    const store = current();
    await bench.limits.refresh();
    const ids = (await store.addMany(6)).map(({ id }) => id).sort();
    const [first = '', alone = '', ...others] = ids;
    const draw = (count: number): Promise<number> => intake.takeBacklog(PLACE, slots.reserve(count));
    await store.ringer.setAside([bytesOf(alone)]);
    const before = store.database.counts.transaction;
    expect(await draw(3)).toBe(1);
    await bench.succeeded([alone]);
    // The other one is the settlement.
    expect(store.database.counts.transaction - before).toBe(2);
    await store.ringer.setAside(others.map(bytesOf));
    expect(await draw(1)).toBe(1);
    await store.ringer.setAside([bytesOf(first)]);
    const draining = jest.spyOn(store.drain, 'draining', 'get').mockReturnValue(true);
    expect(await draw(4)).toBe(3);
    draining.mockRestore();
    expect((await store.row(first)).state).toBe('queued');
    await bench.succeeded(others);
    await until(() => slots.busy === 0, { what: 'every slot to be free' });
  });

  it('finds what can run behind what has expired', async () => {
    const store = current();
    const expired = (await store.addMany(SLOTS)).map(({ id }) => id);
    const good = (await store.addMany(3)).map(({ id }) => id);
    await store.ringer.setAside([...expired, ...good].map(bytesOf));
    await store.raw.execute(sql`UPDATE tasks SET expires_at = 1 WHERE id IN (${list(expired.map(bytesOf))})`);
    expect(await intake.takeBacklog(PLACE, slots.reserve(SLOTS))).toBe(3);
    await bench.succeeded(good);
    await store.raw.execute(sql`DELETE FROM tasks WHERE id IN (${list(expired.map(bytesOf))})`);
    await store.recount();
  });

  it('says no longer that a task runs by itself once it has ended, also where nobody answered that it was said', async () => {
    const store = current();
    const [task] = await store.addMany(1);
    const id = task?.id ?? '';
    await store.raw.execute(sql`UPDATE tasks SET crashes = 2 WHERE id = ${bytesOf(id)}`);
    store.database.loseAnswer(['execute']);
    await bench.take([id]);
    await bench.succeeded([id]);
    await until(() => executor.count === 0, { what: 'the executor to be done' });
    expect(await store.count(sql`workers WHERE solo_task <> ${Buffer.alloc(16)}`)).toBe(0);
  });

  it('does not say that a suspect runs by itself while a hook does, and waits for that hook', async () => {
    const store = current();
    const [task] = await store.addMany(1);
    const id = task?.id ?? '';
    await store.raw.execute(sql`UPDATE tasks SET crashes = 2 WHERE id = ${bytesOf(id)}`);
    const hooks = jest.spyOn(suspects, 'hooks', 'get').mockImplementation(() => (hooks.mock.calls.length < 3 ? 1 : 0));
    await bench.take([id]);
    expect(suspects.closed).toBe(true);
    await bench.succeeded([id]);
    expect(hooks.mock.calls.length).toBeGreaterThanOrEqual(3);
  });

  it('gives back what it has claimed beside a suspect, so that a cancel or a deadline is heard', async () => {
    const store = current();
    const [suspect, other] = [(await store.addMany(1, { name: 'gated' }))[0]?.id ?? '', (await store.addMany(1))[0]?.id ?? ''];
    await store.raw.execute(sql`UPDATE tasks SET crashes = 2 WHERE id = ${bytesOf(suspect)}`);
    await bench.take([suspect]);
    await until(() => runs.includes(suspect), { what: 'the suspect to run' });
    await bench.take([other]);
    await until(async () => (await store.row(other)).state !== 'running', { what: 'the other to be given back' });
    expect(await store.attempts(other)).toMatchObject([{ outcome: 'released', error_code: 'suspect-waits' }]);
    expect(await store.row(other)).toMatchObject({ failures: 0, crashes: 0 });
    bench.release();
    await bench.succeeded([suspect]);
  });

  it('runs a suspect among the others where it cannot be alone, and keeps nobody out for it', async () => {
    const store = current();
    const [suspect] = await store.addMany(1);
    const id = suspect?.id ?? '';
    await store.raw.execute(sql`UPDATE tasks SET crashes = 2 WHERE id = ${bytesOf(id)}`);
    jest.spyOn(suspects, 'hooks', 'get').mockReturnValue(1);
    await bench.take([id]);
    await bench.succeeded([id]);
    expect(suspects.closed).toBe(false);
    expect(await store.count(sql`workers WHERE solo_task <> ${Buffer.alloc(16)}`)).toBe(0);
  });

  it('does not mind a progress report that nobody waits for and that fails', async () => {
    const store = current();
    const [task] = await store.addMany(1, { name: 'chatty' });
    store.database.beAway(1, ['execute']);
    await bench.take([task?.id ?? '']);
    await bench.succeeded([task?.id ?? '']);
  });

  it('drops what a claim without an answer got under a name that is lost by the time it is asked about', async () => {
    const store = current();
    const [task] = await store.addMany(1);
    const id = task?.id ?? '';
    const before = lease.id;
    const after = await store.hire();
    store.database.loseAnswer(['batch']);
    store.database.interrupt(['query'], () => {
      lease.id = after;
      return Promise.resolve();
    });
    await bench.take([id]);
    expect(runs).toEqual([]);
    expect(slots.busy).toBe(0);
    await store.bury(before);
    await store.sweeper.takeBack();
    expect(await store.row(id)).toMatchObject({ state: 'queued' });
  });

  it('drops what it claimed under a lease that is lost by then', async () => {
    const store = current();
    const [task] = await store.addMany(1);
    const id = task?.id ?? '';
    const before = lease.id;
    store.database.interrupt(['batch'], () => {
      lease.id = Buffer.alloc(16, 7);
      return Promise.resolve();
    });
    await bench.take([id]);
    expect(runs).toEqual([]);
    expect(slots.busy).toBe(0);
    await store.bury(before);
    await store.sweeper.takeBack();
    expect(await store.row(id)).toMatchObject({ state: 'queued' });
  });
});
