/** Where a task stands: the last word of the attempt that holds it, and of no other. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { sql } from '@app/database';
import type { ClaimedTask } from '@app/tasks';
import { bytesOf, OOPS, openStore, type Store } from '../../support/store.js';
import { onServers } from '../../support/on-servers.js';
import { onEveryStore } from '../../support/store-suite.js';
import { until } from '../../support/until.js';

async function started(store: Store): Promise<{ worker: Buffer; task: ClaimedTask }> {
  const worker = await store.hire();
  const { id } = await store.add();
  return { worker, task: await store.claim(worker, id) };
}

async function takenBack(store: Store, worker: Buffer, { id }: ClaimedTask): Promise<{ worker: Buffer; task: ClaimedTask }> {
  await store.bury(worker);
  await until(async () => (await store.sweeper.takeBack()).taken === 1, { what: 'the task to be taken back' });
  const next = await store.hire();
  return { worker: next, task: await store.claim(next, id) };
}

onEveryStore('a checkpoint', (current) => {
  it('is the last one that was saved, also where it says the same again', async () => {
    const store = current();
    const { worker, task } = await started(store);
    expect(await store.checkpoints.read(task.bytes, 'echo')).toBeNull();
    for (const data of ['{"at":1}', '{"at":"né"}', '{"at":2}', '{"at":2}', '{"at":2}']) {
      expect(await store.checkpoints.write(worker, task, 'echo', data)).toBe(true);
      expect(await store.checkpoints.read(task.bytes, 'echo')).toBe(data);
    }
    expect(await store.count(sql`task_checkpoints`)).toBe(1);
  });

  it('counts as saved where not one column changes', async () => {
    const { raw } = current();
    const same = sql`INSERT INTO task_checkpoints (task_id, attempt, handler, data, updated_at) SELECT ${Buffer.alloc(16, 1)}, 1, 'echo', '1', 1 FROM workers WHERE pid = 4711${raw.dialect.overwrite(['task_id'], ['attempt', 'handler', 'data', 'updated_at'])}`;
    await current().hire({ pid: 4711 });
    expect([await raw.execute(same), await raw.execute(same)]).toEqual([1, 1]);
    await raw.execute(sql`DELETE FROM task_checkpoints`);
  });

  it('is written by nobody but the attempt that holds the task', async () => {
    const store = current();
    const first = await started(store);
    expect(await store.checkpoints.write(first.worker, first.task, 'echo', '"first"')).toBe(true);
    const second = await takenBack(store, first.worker, first.task);
    expect(await store.checkpoints.write(first.worker, first.task, 'echo', '"late"')).toBe(false);
    expect(await store.checkpoints.write(second.worker, { ...second.task, attempt: 1 }, 'echo', '"mixed up"')).toBe(false);
    expect(await store.checkpoints.write(first.worker, second.task, 'echo', '"somebody else"')).toBe(false);
    expect(await store.checkpoints.read(second.task.bytes, 'echo')).toBe('"first"');
    expect(await store.checkpoints.write(second.worker, second.task, 'echo', '"second"')).toBe(true);
    await store.settle(second.worker, second.task, { kind: 'succeeded', result: '1' });
    expect(await store.checkpoints.write(second.worker, second.task, 'echo', '"after the end"')).toBe(false);
    expect(await store.checkpoints.read(second.task.bytes, 'echo')).toBe('"second"');
  });

  it('is for the handler that saved it', async () => {
    const store = current();
    const { worker, task } = await started(store);
    await store.checkpoints.write(worker, task, 'primary', '1');
    expect(await store.checkpoints.read(task.bytes, 'fallback')).toBeNull();
    await store.checkpoints.write(worker, task, 'fallback', '2');
    expect(await store.checkpoints.read(task.bytes, 'fallback')).toBe('2');
    expect(await store.checkpoints.read(task.bytes, 'primary')).toBeNull();
  });

  it('outlives failures, and goes with its task', async () => {
    const store = current();
    const { worker, task } = await started(store);
    await store.checkpoints.write(worker, task, 'echo', '1');
    await store.settle(worker, task, { kind: 'failed', reason: 'permanent_error', error: OOPS, timedOut: false });
    expect(await store.checkpoints.read(task.bytes, 'echo')).toBe('1');
    await store.raw.execute(sql`UPDATE tasks SET created_at = 1, started_at = 1, updated_at = 1, finished_at = 1 WHERE id = ${task.bytes}`);
    const old = Buffer.concat([Buffer.alloc(6), task.bytes.subarray(6)]);
    await store.raw.execute(sql`UPDATE tasks SET id = ${old}`);
    await store.raw.execute(sql`UPDATE attempts SET task_id = ${old}`);
    await store.raw.execute(sql`UPDATE task_checkpoints SET task_id = ${old}`);
    await store.prunerOf().prune();
    expect(await store.count(sql`tasks`)).toBe(0);
    expect(await store.count(sql`task_checkpoints`)).toBe(0);
  });

  it('can be saved over and over while outcomes of the same tasks are recorded', async () => {
    const store = current();
    const worker = await store.hire();
    const added = await store.addMany(24);
    const tasks = await store.claimer.claim(
      worker,
      added.map(({ id }) => bytesOf(id)),
    );
    const saves = tasks.map(async (task) => {
      const stored: boolean[] = [];
      for (let step = 0; step < 8; step += 1) stored.push(await store.checkpoints.write(worker, task, 'echo', String(step)));
      return stored;
    });
    const settled = Promise.all(
      tasks.map((task, index) =>
        store.settle(worker, task, index % 2 === 0 ? { kind: 'succeeded', result: '1' } : { kind: 'snoozed', delayMs: 60_000 }),
      ),
    );
    expect(new Set(await settled)).toEqual(new Set(['settled']));
    for (const stored of await Promise.all(saves)) {
      // Until the end of the attempt, and not once after it.
      expect(stored.join(' ')).toMatch(/^(true ?)*(false ?)*$/);
    }
    expect(store.errors).toEqual([]);
  });
});

onServers('a checkpoint', (backend) => {
  let store: Store;
  beforeAll(async () => {
    store = await openStore(backend);
  }, 30_000);
  afterAll(async () => {
    expect(await store.check()).toEqual({});
    await store.close();
  });

  it('that waits in the database is stored while the lease lasts, or not at all', async () => {
    const { worker, task } = await started(store);
    await store.checkpoints.write(worker, task, 'echo', '0');
    let letGo: () => void = () => undefined;
    const holding = new Promise<void>((resolve) => (letGo = resolve));
    let isHeld: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (isHeld = resolve));
    const holder = store.raw.transaction(async (transaction) => {
      await transaction.query(sql`SELECT task_id FROM task_checkpoints WHERE task_id = ${task.bytes} FOR UPDATE`);
      isHeld();
      await holding;
    });
    await held;
    const waits = store.checkpoints.write(worker, task, 'echo', '1');
    const waiting = sql`SELECT 1 AS yes FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT' AND trx_query LIKE 'INSERT INTO task_checkpoints%'`;
    let taken = -1;
    try {
      // The server renews this view every 100 ms, and not while it is asked more often.
      await until(async () => (await store.raw.query(waiting)).length > 0, { deadlineMs: 2_500, everyMs: 200, what: 'the write to wait' });
      await store.bury(worker);
      ({ taken } = await store.sweeper.takeBack());
    } finally {
      letGo();
      await holder;
    }
    expect({ taken, stored: await waits }).toEqual({ taken: 0, stored: true });
    await store.sweeper.takeBack();
    expect(await store.row(task.id)).toMatchObject({ state: 'queued' });
  });
});
