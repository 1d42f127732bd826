/** What tasks hold outside of this system: theirs while they last, and then their hook's, one caller at a time, until it is done. */
import { expect, it } from '@jest/globals';
import { sql, type Database, type Row, type Sql } from '@app/database';
import { AbandonedResources, type Abandoned, type ClaimedTask, type RegisteredResource, type Verdict } from '@app/tasks';
import { LOOK_MS, OOPS, type Store } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';

const FAILED: Verdict = { kind: 'failed', reason: 'permanent_error', error: OOPS, timedOut: false };
const HOOK_MS = 60_000;

async function holding(store: Store): Promise<{ worker: Buffer; task: ClaimedTask; resource: RegisteredResource }> {
  const worker = await store.hire();
  const { id } = await store.add();
  const task = await store.claim(worker, id);
  const resource = await store.resources.register(worker, task, 'echo', 'vm', 'vm-7');
  if (resource === null) throw new Error('it could not be registered');
  return { worker, task, resource };
}

/** Lets the time of the next look come. */
async function makeDue(store: Store): Promise<void> {
  await store.raw.execute(sql`UPDATE task_resources SET check_at = 1`);
}

async function found(store: Store, handlers: readonly string[] = ['echo']): Promise<Abandoned[]> {
  return (await store.abandoned.look(handlers)).found;
}

async function abandoned(store: Store): Promise<Abandoned> {
  const { worker, task } = await holding(store);
  await store.settle(worker, task, FAILED);
  await makeDue(store);
  const [resource] = await found(store);
  if (resource === undefined) throw new Error('nothing is abandoned');
  return resource;
}

onEveryStore('a resource', (current, backend) => {
  it('is registered by nobody but the attempt that holds the task', async () => {
    const store = current();
    const { worker, task } = await holding(store);
    await store.bury(worker);
    await store.sweeper.takeBack();
    expect(await store.resources.register(worker, task, 'echo', 'vm', 'late')).toBeNull();
    expect(await store.count(sql`task_resources`)).toBe(1);
  });

  it('is handed to the next attempt of a task that goes on, and looked at later', async () => {
    const store = current();
    const { worker, task, resource } = await holding(store);
    await makeDue(store);
    expect(await found(store)).toEqual([]);
    const [row] = await store.raw.query<{ check_at: number }>(sql`SELECT check_at FROM task_resources`);
    expect(row!.check_at).toBeGreaterThan((await store.now()) + LOOK_MS - 5_000);
    await store.settle(worker, task, { kind: 'retry', delayMs: 60_000, error: OOPS, timedOut: false });
    await makeDue(store);
    expect(await found(store)).toEqual([]);
    expect(await store.resources.heldBy(task.bytes)).toEqual([resource]);
  });

  it('is looked at more rarely when it is old', async () => {
    const store = current();
    await holding(store);
    await store.raw.execute(sql`UPDATE task_resources SET created_at = 1, check_at = 1`);
    await found(store);
    const [row] = await store.raw.query<{ check_at: number }>(sql`SELECT check_at FROM task_resources`);
    expect(row!.check_at).toBeGreaterThan((await store.now()) + 5 * LOOK_MS);
  });

  it('that was released is nobody’s', async () => {
    const store = current();
    const { worker, task, resource } = await holding(store);
    await store.resources.release(resource.id);
    await store.resources.release(resource.id);
    await store.settle(worker, task, FAILED);
    await makeDue(store);
    expect(await found(store)).toEqual([]);
    expect(await store.resources.heldBy(task.bytes)).toEqual([]);
  });

  it.each<[string, Verdict]>([
    ['failed', FAILED],
    ['succeeded', { kind: 'succeeded', result: '1' }],
    ['cancelled', { kind: 'cancelled', error: null }],
  ])('is found when its task has %s, by those who have the handler', async (_what, verdict) => {
    const store = current();
    const { worker, task, resource } = await holding(store);
    await store.settle(worker, task, verdict);
    expect(await found(store)).toEqual([]);
    await makeDue(store);
    expect(await found(store, [])).toEqual([]);
    expect(await found(store, ['other'])).toEqual([]);
    expect(await found(store, ['other', 'echo'])).toMatchObject([
      { id: resource.id, taskId: task.id, tenant: 'acme', handler: 'echo', kind: 'vm', ref: 'vm-7', tries: 0 },
    ]);
  });

  it('is found when its task is pruned', async () => {
    const store = current();
    const { worker, task } = await holding(store);
    await store.settle(worker, task, FAILED);
    const old = Buffer.concat([Buffer.alloc(6), task.bytes.subarray(6)]);
    await store.raw.execute(sql`UPDATE tasks SET id = ${old}, created_at = 1, started_at = 1, updated_at = 1, finished_at = 1`);
    await store.raw.execute(sql`UPDATE attempts SET task_id = ${old}`);
    await store.raw.execute(sql`UPDATE task_resources SET task_id = ${old}`);
    await store.prunerOf().prune();
    expect(await store.count(sql`tasks`)).toBe(0);
    await makeDue(store);
    const [resource] = await found(store);
    expect(resource).toMatchObject({ tenant: 'acme', handler: 'echo', ref: 'vm-7' });
    expect(await store.abandoned.take(resource!, HOOK_MS)).toBe(true);
  });

  it('is taken by one of many, and by nobody else before its time is over', async () => {
    const store = current();
    const resource = await abandoned(store);
    const takes = await Promise.all(Array.from({ length: 6 }, () => store.abandoned.take(resource, HOOK_MS)));
    expect(takes.filter(Boolean)).toHaveLength(1);
    expect(await found(store)).toEqual([]);
    await makeDue(store);
    const [again] = await found(store);
    expect(again).toMatchObject({ id: resource.id, tries: 1 });
    expect(await store.abandoned.take(resource, HOOK_MS)).toBe(false);
    expect(await store.abandoned.take(again!, HOOK_MS)).toBe(true);
  });

  it('is not taken from a task that was sent round again meanwhile', async () => {
    const store = current();
    const resource = await abandoned(store);
    await store.retrier.retry('acme', resource.taskId, 'tester');
    expect(await store.abandoned.take(resource, HOOK_MS)).toBe(false);
    await makeDue(store);
    expect(await found(store)).toEqual([]);
    const task = await store.claim(await store.hire(), resource.taskId);
    expect(await store.resources.heldBy(task.bytes)).toMatchObject([{ ref: 'vm-7' }]);
  });

  it('stays its hook’s when the task is sent round again too late', async () => {
    const store = current();
    const resource = await abandoned(store);
    expect(await store.abandoned.take(resource, HOOK_MS)).toBe(true);
    await store.retrier.retry('acme', resource.taskId, 'tester');
    const task = await store.claim(await store.hire(), resource.taskId);
    expect(await store.resources.heldBy(task.bytes)).toEqual([]);
    await store.abandoned.again(resource, 0, 'no');
    await makeDue(store);
    const [again] = await found(store);
    expect(await store.abandoned.take(again!, HOOK_MS)).toBe(true);
    await store.abandoned.done(resource.id);
    expect(await store.count(sql`task_resources`)).toBe(0);
  });

  it('is offered again after a failure, which a newer call does not hear of', async () => {
    const store = current();
    const resource = await abandoned(store);
    await store.abandoned.take(resource, HOOK_MS);
    await store.abandoned.again(resource, 0, 'no '.repeat(2_000));
    const [second] = await found(store);
    expect(second).toMatchObject({ tries: 1 });
    await store.abandoned.take(second!, HOOK_MS);
    // The first call was thought dead, and comes back.
    await store.abandoned.again(resource, 0, 'late');
    expect(await found(store)).toEqual([]);
    const [row] = await store.raw.query<{ last_error: string; tries: number }>(sql`SELECT last_error, tries FROM task_resources`);
    expect(row).toMatchObject({ tries: 2 });
    expect(row!.last_error).toMatch(/^no no/);
  });

  it('is found beside as many that belong to others', async () => {
    const store = current();
    const { worker, task } = await holding(store);
    for (let index = 0; index < 40; index += 1) await store.resources.register(worker, task, 'other', 'vm', `vm-${index}`);
    await store.settle(worker, task, FAILED);
    await makeDue(store);
    expect(await found(store)).toHaveLength(1);
    const page = await store.abandoned.look(['other']);
    expect(page.full).toBe(true);
    await Promise.all(page.found.map((resource) => store.abandoned.take(resource, HOOK_MS)));
    const rest = await store.abandoned.look(['other']);
    expect([page.found.length + rest.found.length, rest.full]).toEqual([40, false]);
  });

  it('is found by the time that it has been due, whichever of many handlers it belongs to', async () => {
    const store = current();
    const { worker, task } = await holding(store);
    const names = Array.from({ length: 450 }, (_, index) => `h${index % 45}.${Math.floor(index / 45)}`);
    for (let index = 0; index < 45; index += 1) await store.resources.register(worker, task, names[index * 10]!, 'vm', String(index));
    await store.settle(worker, task, FAILED);
    await store.raw.execute(
      sql`UPDATE task_resources SET check_at = 1000 - CAST(ref AS DECIMAL(9)) WHERE kind = 'vm' AND handler <> 'echo'`,
    );
    const page = await store.abandoned.look(['echo', ...names]);
    expect(page.full).toBe(true);
    expect(page.found.map(({ ref }) => Number(ref))).toEqual(Array.from({ length: 32 }, (_, index) => 44 - index));
  });

  // SQLite does not count what it reads.
  if (backend.name !== 'sqlite') {
    it('costs a page per handler to look for, however many are due', async () => {
      const store = current();
      await holding(store);
      for (let round = 0; round < 11; round += 1)
        await store.raw.execute(
          sql`INSERT INTO task_resources (id, task_id, tenant, handler, attempt, kind, ref, last_error, check_at, created_at) SELECT UNHEX(LEFT(SHA2(CONCAT(HEX(id), ${round}), 256), 32)), task_id, tenant, ${round % 2 === 0 ? 'a' : 'b'}, attempt, kind, ref, last_error, check_at - 1, created_at FROM task_resources`,
        );
      await store.raw.execute(sql`UPDATE task_resources SET check_at = 1 + MOD(CRC32(id), 1000)`);
      await store.raw.query(sql`ANALYZE TABLE task_resources`);
      let read = 0;
      const counting = Object.create(store.raw) as Database;
      counting.query = <T extends object = Row>(statement: Sql): Promise<T[]> =>
        store.raw.transaction(async (transaction) => {
          await transaction.execute(sql`FLUSH STATUS`);
          const found = await transaction.query<T>(statement);
          const counts = await transaction.query<{ Value: string }>(sql`SHOW SESSION STATUS LIKE 'Handler_read%'`);
          read += counts.reduce((sum, { Value: value }) => sum + Number(value), 0);
          return found;
        });
      const page = await new AbandonedResources(counting, LOOK_MS).look(['a', 'b']);
      expect(page.full).toBe(true);
      expect(read).toBeLessThan(600);
    });
  }
});
