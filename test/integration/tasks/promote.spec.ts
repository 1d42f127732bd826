/** What waits comes into the queue when it is due: each once, however many promoters there are, and never without a timer. */
import { expect, it } from '@jest/globals';
import { sql } from '@app/database';
import { bytesOf, OOPS, takeAll } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';

onEveryStore('promoting', (current) => {
  it('queues what is due, rings for it, and leaves the rest', async () => {
    const store = current();
    const due = await store.add({ delayMs: 60_000 });
    const later = await store.add({ delayMs: 60_000 });
    await store.makeDue(due.id, 'run');
    await store.doorbell.forget();
    const before = await store.row(due.id);
    expect(await store.promoter.promote()).toEqual({ taken: 1, full: false });
    const after = await store.row(due.id);
    const updatedAt = after['updated_at'] as number;
    expect(updatedAt).toBeGreaterThanOrEqual(before['updated_at'] as number);
    expect(after).toEqual({ ...before, state: 'queued', phase: 'live', rung_at: updatedAt, updated_at: updatedAt });
    expect(await store.timers(due.id)).toEqual({});
    expect(store.doorbell.rung).toEqual([bytesOf(due.id).toString('hex')]);
    expect(await store.row(later.id)).toMatchObject({ state: 'scheduled' });
    expect(Object.keys(await store.timers(later.id))).toEqual(['run']);
    expect(await store.promoter.promote()).toEqual({ taken: 0, full: false });
  });

  it('queues a task whose pause is over', async () => {
    const store = current();
    const view = await store.finish(await store.hire(), { kind: 'retry', delayMs: 60_000, error: OOPS, timedOut: false });
    expect(await store.promoter.promote()).toEqual({ taken: 0, full: false });
    await store.makeDue(view.id, 'run');
    await store.promoter.promote();
    expect(await store.row(view.id)).toMatchObject({ state: 'queued', failures: 1 });
  });

  it('promotes a task by the database’s clock alone, in the order of their times', async () => {
    const store = current();
    const now = await store.now();
    const added = await Promise.all([3, 1, 2].map((order) => store.add({ runAt: now + 60_000 + order })));
    await store.raw.execute(sql`UPDATE timers SET due_at = due_at - 120000`);
    await store.raw.execute(sql`UPDATE tasks SET run_at = run_at - 120000`);
    await store.promoter.promote();
    for (const { id } of added) expect(await store.row(id)).toMatchObject({ state: 'queued' });
  });

  it('stores unrung what does not fit the window', async () => {
    const store = current();
    const { id } = await store.add({ delayMs: 60_000 });
    await store.makeDue(id, 'run');
    store.doorbell.window = 'shut';
    await store.promoter.promote();
    expect(await store.row(id)).toMatchObject({ state: 'queued', phase: 'unrung', rung_at: 0 });
    expect(store.doorbell.rung).toEqual([]);
  });

  it('leaves what it cannot ring for where workers look by themselves', async () => {
    const store = current();
    const { id } = await store.add({ delayMs: 60_000 });
    await store.makeDue(id, 'run');
    store.doorbell.away = true;
    store.doorbell.window = 'open';
    await store.promoter.promote();
    expect(await store.row(id)).toMatchObject({ state: 'queued', phase: 'unrung', rung_at: 0 });
  });

  it('shares a page among promoters: each task once, with one ring, and no timer left', async () => {
    const store = current();
    const added = await store.addMany(1_200, { delayMs: 60_000 });
    await store.raw.execute(sql`UPDATE timers SET due_at = 1`);
    await store.raw.execute(sql`UPDATE tasks SET run_at = 1`);
    await store.doorbell.forget();
    const promoteAll = (): Promise<number> => takeAll(() => store.promoter.promote());
    const taken = await Promise.all([promoteAll(), promoteAll(), promoteAll()]);
    expect(taken.reduce((sum, part) => sum + part, 0)).toBe(1_200);
    expect(await store.count(sql`tasks WHERE state = 'queued'`)).toBe(1_200);
    expect(await store.count(sql`timers`)).toBe(0);
    expect([...store.doorbell.rung].sort()).toEqual(added.map(({ id }) => bytesOf(id).toString('hex')).sort());
  });

  it('says when a page was full', async () => {
    const store = current();
    await store.addMany(501, { delayMs: 60_000 });
    await store.raw.execute(sql`UPDATE timers SET due_at = 1`);
    await store.raw.execute(sql`UPDATE tasks SET run_at = 1`);
    expect(await store.promoter.promote()).toEqual({ taken: 500, full: true });
    expect(await store.promoter.promote()).toEqual({ taken: 1, full: false });
  });

  it('does not bring back what was cancelled or is running, and drops its timer', async () => {
    const store = current();
    const worker = await store.hire();
    const cancelled = await store.add({ delayMs: 60_000 });
    await store.canceller.cancel('acme', cancelled.id, 'someone');
    await store.raw.execute(sql`UPDATE timers SET due_at = 1`);
    const due = await store.add({ runAt: 1 });
    await store.claim(worker, due.id);
    await store.promoter.promote();
    expect(await store.row(cancelled.id)).toMatchObject({ state: 'cancelled' });
    expect(await store.row(due.id)).toMatchObject({ state: 'running', attempt: 1 });
    expect(await store.count(sql`timers`)).toBe(0);
  });

  it('loses no task whose timer comes before its time, as a clock that was set back makes it', async () => {
    const store = current();
    const { id } = await store.add({ delayMs: 60_000 });
    await store.raw.execute(sql`UPDATE timers SET due_at = 1`);
    await store.promoter.promote();
    const { state } = await store.row(id);
    expect(state === 'queued' || 'run' in (await store.timers(id))).toBe(true);
  });

  it('has done nothing by halves when the database goes away, and does it again', async () => {
    const store = current();
    const added = await store.addMany(3, { delayMs: 60_000 });
    for (const { id } of added) await store.makeDue(id, 'run');
    store.database.loseCommit();
    await expect(store.promoter.promote()).rejects.toMatchObject({ kind: 'unavailable' });
    expect(await store.count(sql`tasks WHERE state = 'scheduled'`)).toBe(3);
    expect(await store.count(sql`timers`)).toBe(3);
    expect(await store.promoter.promote()).toMatchObject({ taken: 3 });
  });
});
