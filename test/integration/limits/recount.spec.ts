/** The recount finds what usage is off by and corrects it, keeps nobody waiting, and leaves what is right alone. */
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { list, sql } from '@app/database';
import { UsageRecounter } from '@app/tasks';
import { limit } from '../../support/limited.js';
import { bytesOf, newTask, type Store } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';

/** Counts are never good. */
const ALWAYS_MS = -3_600_000;
const HOUR_MS = 3_600_000;

/** Lets the turn of the tenants come, and that of nobody else. */
async function due(store: Store, ...tenants: string[]): Promise<void> {
  await store.nameQueues();
  await store.raw.execute(
    sql`UPDATE tenant_usage SET counted_at = CASE WHEN tenant IN (${list(tenants)}) THEN 0 ELSE ${Number.MAX_SAFE_INTEGER} END`,
  );
}

const recounterOf = (store: Store, everyMs = ALWAYS_MS) => new UsageRecounter(store.database, everyMs);

onEveryStore('the recount', (current) => {
  it('corrects what somebody has changed by hand, and says by how much', async () => {
    const store = current();
    await limit(store, { 'queue.depth': 10 }, { queue: 'reports' });
    const added = await store.addMany(3, { queue: 'reports' });
    await store.addMany(2);
    await due(store, 'acme');
    await store.raw.execute(sql`DELETE FROM tasks WHERE id IN (${list(added.slice(0, 2).map(({ id }) => bytesOf(id)))})`);
    const wrong = { tenant: 'acme', tasks: -2, payloadBytes: -14, queues: { reports: -2 } };
    expect(await recounterOf(store).step()).toEqual({ taken: 1, correction: wrong });
    expect(await store.usage.of('acme')).toEqual({ tasks: 3, payloadBytes: 21, queues: new Map([['reports', 1]]) });
    await store.raw.execute(sql`UPDATE tenant_usage SET tasks = tasks - 7, payload_bytes = 0 WHERE tenant = 'acme'`);
    const less = { tenant: 'acme', tasks: 7, payloadBytes: 21, queues: { reports: 7 } };
    expect(await recounterOf(store).step()).toEqual({ taken: 1, correction: less });
    expect(await recounterOf(store).step()).toEqual({ taken: 1, correction: null });
  });

  it('counts what was given back and not taken off yet, and every state that is no end', async () => {
    const store = current();
    const worker = await store.hire();
    await store.add({ delayMs: HOUR_MS, priority: 90 });
    await store.claim(worker, (await store.add({ priority: -90 })).id);
    await store.finish(worker, { kind: 'snoozed', delayMs: HOUR_MS });
    await store.finish(worker, { kind: 'succeeded', result: '1' });
    expect(await store.count(sql`usage_returns`)).toBe(1);
    await due(store, 'acme');
    expect(await recounterOf(store).step()).toEqual({ taken: 1, correction: null });
  });

  it('goes by what rows say of their payloads, and reads only those that do not say it', async () => {
    const store = current();
    const [first, old] = await store.addMany(3, { payload: '"ä"' });
    await due(store, 'acme');
    await store.raw.execute(sql`UPDATE tasks SET payload_bytes = 0 WHERE id = ${bytesOf(old!.id)}`);
    expect(await recounterOf(store).step()).toEqual({ taken: 1, correction: null });
    await store.raw.execute(sql`UPDATE tasks SET payload_bytes = 104 WHERE id = ${bytesOf(first!.id)}`);
    const believed = { tenant: 'acme', tasks: 0, payloadBytes: 100, queues: {} };
    expect(await recounterOf(store).step()).toEqual({ taken: 1, correction: believed });
    await store.raw.execute(sql`UPDATE tasks SET payload_bytes = 4 WHERE id = ${bytesOf(first!.id)}`);
    await recounterOf(store).step();
    expect((await store.usage.of('acme')).payloadBytes).toBe(12);
  });

  it('corrects nothing while all that is under way is right', async () => {
    const store = current();
    const worker = await store.hire({ concurrency: 500 });
    await limit(store, { 'queue.depth': 1_000 });
    await limit(store, { 'tasks.queued': 2_000 });
    const early = await store.addMany(60);
    await due(store, 'acme');
    const claimed = await store.claimer.claim(
      worker,
      early.map(({ id }) => bytesOf(id)),
    );
    const under = [
      ...claimed.map((task) => store.settle(worker, task, { kind: 'succeeded', result: '1' })),
      ...Array.from({ length: 60 }, () => store.submitterOf().submit(newTask())),
      store.usage.fold(),
      store.usage.fold(),
    ];
    const corrections: unknown[] = [];
    const recounters = [recounterOf(store), recounterOf(store)];
    let busy = true;
    const counting = recounters.map(async (recounter) => {
      while (busy) {
        const { correction } = await recounter.step();
        if (correction !== null) corrections.push(correction);
        // SQLite answers without a turn of the event loop, which the others need.
        await turn();
      }
    });
    await Promise.all(under);
    busy = false;
    await Promise.all(counting);
    expect(corrections).toEqual([]);
  });

  it('is made once where two begin it, and again only when it is old', async () => {
    const store = current();
    for (const tenant of ['acme', 'other']) await store.add({ tenant });
    await due(store, 'acme', 'other');
    await store.raw.execute(sql`UPDATE tenant_usage SET tasks = 5`);
    const both = [recounterOf(store, HOUR_MS), recounterOf(store, HOUR_MS)];
    const corrected = new Set<string>();
    for (let turn = 0; turn < 10; turn += 1)
      for (const { correction } of await Promise.all(both.map((recounter) => recounter.step())))
        if (correction !== null) {
          expect(corrected.has(correction.tenant)).toBe(false);
          corrected.add(correction.tenant);
        }
    expect(corrected).toContain('acme');
    expect(corrected).toContain('other');
    expect(await both[0]!.step()).toEqual({ taken: 0, correction: null });
  });

  it('is dropped where somebody has counted since it began', async () => {
    const store = current();
    await store.add();
    await due(store, 'acme');
    await store.raw.execute(sql`UPDATE tenant_usage SET tasks = 9 WHERE tenant = 'acme'`);
    // Between its count and its correction another one comes to the same end.
    store.database.interrupt(['transaction'], () => Promise.resolve());
    store.database.interrupt(['transaction'], async () => {
      await new UsageRecounter(store.raw, ALWAYS_MS).step();
    });
    expect(await recounterOf(store).step()).toEqual({ taken: 1, correction: null });
    expect((await store.usage.of('acme')).tasks).toBe(1);
  });

  it('gives a row to a tenant that has none, and counts it', async () => {
    const store = current();
    await store.add();
    await store.nameQueues();
    await store.raw.execute(sql`DELETE FROM tenant_usage WHERE tenant = 'acme'`);
    expect(await recounterOf(store).adopt()).toBe(1);
    expect(await recounterOf(store).adopt()).toBe(0);
    await store.recount();
    expect((await store.usage.of('acme')).tasks).toBe(1);
  });
});
