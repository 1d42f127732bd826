/** Cancel and retry from every state, as the table of moves says, and what they leave behind. */
import { expect, it } from '@jest/globals';
import { rows, sql } from '@app/database';
import { InvalidState, NotFound } from '@app/errors';
import { isFinal, mayMove, TASK_STATES, type ClaimedTask } from '@app/tasks';
import { bytesOf, OOPS, POISON_CRASHES } from '../../support/store.js';
import { taskIn } from '../../support/store-states.js';
import { onEveryStore } from '../../support/store-suite.js';
import { until } from '../../support/until.js';

const cancellable = TASK_STATES.filter((state) => mayMove(state, 'cancelled', 'canceller'));
const retryable = TASK_STATES.filter((state) => mayMove(state, 'queued', 'operator'));

onEveryStore('cancelling', (current, backend) => {
  it.each(cancellable)('ends a %s task at once', async (state) => {
    const store = current();
    const { id } = await taskIn(store, state);
    const before = await store.row(id);
    const view = await store.canceller.cancel('acme', id, 'someone');
    expect(view).toMatchObject({ id, state: 'cancelled', reason: null });
    const after = await store.row(id);
    expect(after).toEqual({
      ...before,
      ...{ state: 'cancelled', phase: 'cancelled', ended: 'cancelled' },
      ...{ finished_at: view.finishedAt, updated_at: view.finishedAt },
    });
    expect(view).toEqual(await store.reader.get('acme', id));
    expect(await store.claimer.claim(await store.hire(), [bytesOf(id)])).toEqual([]);
  });

  it('asks the worker of a running task, and moves nothing', async () => {
    const store = current();
    const { id } = await taskIn(store, 'running');
    const before = await store.row(id);
    expect(await store.canceller.cancel('acme', id, 'someone')).toMatchObject({ state: 'running', cancelRequested: true });
    expect(await store.row(id)).toEqual(before);
    const found = await store.raw.query(sql`SELECT task_id, worker_id, requested_by FROM cancel_requests`);
    expect(found).toEqual([{ task_id: bytesOf(id), worker_id: before['worker_id'], requested_by: 'someone' }]);
  });

  it('asks it once: whoever asks again gets the task, and leaves no trace', async () => {
    const store = current();
    const { id } = await taskIn(store, 'running');
    const first = await store.canceller.cancel('acme', id, 'someone');
    const events = () => store.raw.query(sql`SELECT actor, kind FROM task_events WHERE task_id = ${bytesOf(id)}`);
    const before = await events();
    expect(await store.canceller.cancel('acme', id, 'someone else', 'quick')).toEqual(first);
    await Promise.all([1, 2, 3].map(() => store.canceller.cancel('acme', id, 'a third')));
    expect(await events()).toEqual(before);
    expect(await store.count(sql`audit_entries WHERE action = 'task.cancel'`)).toBe(1);
    expect(await store.raw.query(sql`SELECT requested_by FROM cancel_requests`)).toEqual([{ requested_by: 'someone' }]);
  });

  it.each(TASK_STATES.filter(isFinal))('refuses a task that is %s', async (state) => {
    const store = current();
    const { id } = await taskIn(store, state);
    const before = await store.row(id);
    await expect(store.canceller.cancel('acme', id, 'someone')).rejects.toBeInstanceOf(InvalidState);
    expect(await store.row(id)).toEqual(before);
    expect(await store.count(sql`cancel_requests`)).toBe(0);
  });

  it('and claiming at the same moment: the task ends cancelled or runs with a request', async () => {
    const store = current();
    const worker = await store.hire();
    const added = await store.addMany(20);
    const [claimed] = await Promise.all([
      store.claimer.claim(
        worker,
        added.map(({ id }) => bytesOf(id)),
      ),
      ...added.map(({ id }) => store.canceller.cancel('acme', id, 'someone')),
    ]);
    const asked = (await store.canceller.requestedOf(worker)).map((id) => id.toString('hex'));
    expect(asked.sort()).toEqual(claimed.map(({ bytes }) => bytes.toString('hex')).sort());
    expect(await store.count(sql`tasks WHERE state = 'cancelled'`)).toBe(20 - claimed.length);
  });

  // SQLite has one writer: nobody comes in between.
  if (backend.name !== 'sqlite') {
    it('makes a claim that comes in between wait', async () => {
      const store = current();
      const worker = await store.hire();
      const { id } = await store.add();
      let claiming: Promise<ClaimedTask[]> = Promise.resolve([]);
      let isOver = false;
      store.database.interruptInside(async () => {
        claiming = store.claimer.claim(worker, [bytesOf(id)]);
        void claiming.finally(() => {
          isOver = true;
        });
        const waiting = sql`information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'`;
        // The engine refreshes this table only when nobody has asked for a tenth of a second.
        const patience = { everyMs: 150, deadlineMs: 2_500, what: 'the claim to wait or to be over' };
        await until(async () => isOver || (await store.count(waiting)) > 0, patience);
      });
      expect(await store.canceller.cancel('acme', id, 'someone')).toMatchObject({ state: 'cancelled' });
      expect(await claiming).toEqual([]);
    });
  }

  it('tells a worker of its own tasks only', async () => {
    const store = current();
    const [one, other] = [await store.hire(), await store.hire()];
    const [mine, theirs] = await store.addMany(2);
    await store.claim(one, mine!.id);
    await store.claim(other, theirs!.id);
    await store.canceller.cancel('acme', theirs!.id, 'someone');
    expect(await store.canceller.requestedOf(one)).toEqual([]);
    expect(await store.canceller.requestedOf(other)).toEqual([bytesOf(theirs!.id)]);
  });

  it('tells it of those however many others were outrun by their tasks', async () => {
    const store = current();
    const worker = await store.hire();
    const { id } = await store.add();
    await store.claim(worker, id);
    // As a flood of clients leaves them that cancel what is about to end.
    const outrun = Array.from({ length: 10_000 }, (_, number) => {
      const old = Buffer.alloc(16);
      old.writeUInt32BE(number, 0);
      return [old, worker, 1, 'someone'];
    });
    for (let from = 0; from < outrun.length; from += 1_000)
      await store.raw.execute(
        sql`INSERT INTO cancel_requests (task_id, worker_id, requested_at, requested_by) VALUES ${rows(outrun.slice(from, from + 1_000))}`,
      );
    await store.canceller.cancel('acme', id, 'someone');
    const asked = await store.canceller.requestedOf(worker);
    await store.raw.execute(sql`DELETE FROM cancel_requests WHERE task_id <> ${bytesOf(id)}`);
    expect(asked).toEqual([bytesOf(id)]);
  });
});

onEveryStore('retrying by hand', (current) => {
  it.each(retryable)('sends a %s task round again with a clean slate', async (state) => {
    const store = current();
    const { id } = await taskIn(store, state, { deadlineMs: 3_600_000, expiresAt: Date.now() + 3_600_000, tags: ['t'] });
    const before = await store.row(id);
    await store.doorbell.forget();
    const view = await store.retrier.retry('acme', id, 'someone');
    expect(view).toEqual(await store.reader.get('acme', id));
    expect(view).toMatchObject({
      state: 'queued',
      reason: null,
      finishedAt: null,
      expiresAt: null,
      deadlineAt: null,
      failures: 0,
      crashes: 0,
    });
    const after = await store.row(id);
    const updatedAt = after['updated_at'];
    expect(after).toEqual({
      ...before,
      ...{ state: 'queued', phase: 'live', ended: 'none', reason: 'none' },
      ...{ failures: 0, crashes: 0, expires_at: 0, deadline_at: 0, finished_at: 0 },
      ...{ run_at: updatedAt, rung_at: updatedAt, updated_at: updatedAt },
    });
    expect(await store.timers(id)).toEqual({});
    expect(store.doorbell.rung).toEqual([bytesOf(id).toString('hex')]);
    const claimed = await store.claim(await store.hire(), id);
    expect(claimed).toMatchObject({ attempt: (before['attempt'] as number) + 1, failures: 0, crashes: 0, deadlineAt: 0 });
  });

  it.each(TASK_STATES.filter((state) => !retryable.includes(state)))('refuses a task that is %s', async (state) => {
    const store = current();
    const { id } = await taskIn(store, state);
    const before = await store.row(id);
    await expect(store.retrier.retry('acme', id, 'someone')).rejects.toBeInstanceOf(InvalidState);
    expect(await store.row(id)).toEqual(before);
  });

  it('by two operators at once happens once', async () => {
    const store = current();
    const { id } = await taskIn(store, 'failed');
    const outcomes = await Promise.allSettled([store.retrier.retry('acme', id, 'someone'), store.retrier.retry('acme', id, 'someone')]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('goes on counting attempts and keeps the earlier ones', async () => {
    const store = current();
    const worker = await store.hire();
    const { id } = await taskIn(store, 'failed');
    await store.retrier.retry('acme', id, 'someone');
    await store.settle(worker, await store.claim(worker, id), { kind: 'succeeded', result: '7' });
    expect(await store.reader.get('acme', id)).toMatchObject({ state: 'succeeded', attempt: 2, failures: 0, result: 7, lastError: OOPS });
    expect((await store.attempts(id)).map(({ attempt, outcome }) => [attempt, outcome])).toEqual([
      [1, 'failed'],
      [2, 'succeeded'],
    ]);
  });

  it('of a poisoned task gives it all its lives back', async () => {
    const store = current();
    const { id } = await store.add();
    const crash = async (): Promise<void> => {
      const worker = await store.hire();
      await store.claim(worker, id);
      await store.bury(worker);
      await store.sweeper.takeBack();
    };
    for (let crashes = 0; crashes < 2 * POISON_CRASHES; crashes += 1) await crash();
    expect(await store.row(id)).toMatchObject({ state: 'failed', reason: 'poison' });
    await store.retrier.retry('acme', id, 'someone');
    await crash();
    expect(await store.row(id)).toMatchObject({ state: 'queued', crashes: 1, attempt: 2 * POISON_CRASHES + 1 });
  });

  it('of a task that was past its deadline lets it live', async () => {
    const store = current();
    const { id } = await store.add({ deadlineMs: 60_000 });
    await store.makeDue(id, 'deadline');
    await store.expirer.expire('deadline');
    await store.retrier.retry('acme', id, 'someone');
    expect(await store.expirer.expire('deadline')).toMatchObject({ taken: 0 });
    expect(await store.claim(await store.hire(), id)).toMatchObject({ attempt: 2 });
  });

  it('stores the task unrung where the door is full or away', async () => {
    const store = current();
    const { id } = await taskIn(store, 'failed');
    store.doorbell.window = 'shut';
    await store.retrier.retry('acme', id, 'someone');
    expect(await store.row(id)).toMatchObject({ state: 'queued', phase: 'unrung', rung_at: 0 });
  });
});

onEveryStore('an id that names nothing', (current) => {
  it.each(['', 'nonsense', '0198e0c8-0000-7000-8000-000000000000', '%', '00000000-0000-0000-0000-000000000000'])(
    'is not found: %j',
    async (id) => {
      const store = current();
      await store.add();
      await expect(store.reader.get('acme', id)).rejects.toBeInstanceOf(NotFound);
      await expect(store.reader.attempts('acme', id)).rejects.toBeInstanceOf(NotFound);
      await expect(store.canceller.cancel('acme', id, 'someone')).rejects.toBeInstanceOf(NotFound);
      await expect(store.retrier.retry('acme', id, 'someone')).rejects.toBeInstanceOf(NotFound);
    },
  );
});
