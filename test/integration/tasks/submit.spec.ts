/** What a submission leaves behind: rows, timers, tags, queues and rings, and how many commits that takes. */
import { expect, it } from '@jest/globals';
import { idText, sql } from '@app/database';
import { bytesOf, newTask } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';
import { until } from '../../support/until.js';

/** SQLite takes the time anew for each statement: a timer may be due a moment after the row says so, but never before. */
function expectTimers(found: Record<string, number>, expected: Record<string, number>): void {
  expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
  for (const [kind, dueAt] of Object.entries(expected)) {
    expect(found[kind]).toBeGreaterThanOrEqual(dueAt);
    expect(found[kind]).toBeLessThan(dueAt + 5_000);
  }
}

onEveryStore('submitting', (current) => {
  it('stores one task as it was handed in, by the time of the database', async () => {
    const store = current();
    const before = await store.now();
    const task = newTask({
      tenant: 'acme',
      name: 'report.render',
      queue: 'reports',
      priority: 7,
      payload: '{"a":[1,"é",null]}',
      maxAttempts: 4,
      retry: { backoff: 'fixed', baseMs: 5 },
      timeoutMs: 9_000,
      tags: ['x', 'y'],
      metadata: { k: 'v' },
      createdBy: 'someone',
    });
    const { task: view, replayed } = await store.submitter.submit(task);
    expect(replayed).toBe(false);
    expect(view.createdAt).toBeGreaterThanOrEqual(before);
    expect(view.createdAt).toBeLessThanOrEqual(await store.now());
    expect(await store.row(view.id)).toEqual({
      id: bytesOf(view.id),
      tenant: 'acme',
      queue: 'reports',
      name: 'report.render',
      lane: 0,
      priority: 7,
      phase: 'live',
      state: 'queued',
      reason: 'none',
      ended: 'none',
      attempt: 0,
      failures: 0,
      crashes: 0,
      snoozes: 0,
      fallbacks: 0,
      max_attempts: 4,
      timeout_ms: 9_000,
      worker_id: Buffer.alloc(16),
      run_at: view.createdAt,
      expires_at: 0,
      deadline_at: 0,
      created_at: view.createdAt,
      updated_at: view.createdAt,
      started_at: 0,
      finished_at: 0,
      rung_at: view.createdAt,
      created_by: 'someone',
      options: '{"retry":{"backoff":"fixed","baseMs":5},"tags":["x","y"],"metadata":{"k":"v"}}',
      payload: '{"a":[1,"é",null]}',
      payload_bytes: 19,
    });
    expect(await store.timers(view.id)).toEqual({});
    await until(() => store.doorbell.rung.length > 0);
    expect(store.doorbell.rings).toEqual([{ tenant: 'acme', queue: 'reports', lane: 'high', ids: [bytesOf(view.id)] }]);
  });

  it.each([
    ['a plain one', {}],
    [
      'one with everything',
      { queue: 'reports', priority: -3, maxAttempts: 2, timeoutMs: 5, tags: ['t'], metadata: { a: 1 }, deadlineMs: 60_000 },
    ],
    ['a delayed one', { delayMs: 60_000, expiresAt: Date.now() + 600_000, retry: { jitter: 0.5 } }],
    ['a due one', { runAt: 1_000, payload: 'null' }],
  ])('answers with the task as a later read shows it: %s', async (_what, options) => {
    const store = current();
    const { task } = await store.submitter.submit(newTask(options));
    expect(await store.reader.get('acme', task.id)).toEqual(task);
  });

  it('takes 500 at once in a few commits, each answered with its own task', async () => {
    const store = current();
    await store.add();
    store.database.reset();
    const names = Array.from({ length: 500 }, (_, index) => `task.${index}`);
    const answers = await store.submitter.submitMany(names.map((name) => newTask({ name })));
    const { batch, transaction, execute } = store.database.counts;
    expect(batch + transaction + execute).toBeLessThanOrEqual(3);
    const views = answers.map((answer) => (answer.status === 'fulfilled' ? answer.value.task : null));
    expect(views.map((view) => view?.name)).toEqual(names);
    expect(new Set(views.map((view) => view?.id)).size).toBe(500);
    const stored = await store.raw.query<{ id: Buffer; name: string }>(sql`SELECT id, name FROM tasks WHERE name <> 'echo' ORDER BY id`);
    expect(stored.map(({ id, name }) => [idText(id), name])).toEqual(views.map((view) => [view?.id, view?.name]));
    await until(() => store.doorbell.rung.length >= 500);
    expect(new Set(store.doorbell.rung).size).toBe(store.doorbell.rung.length);
  });

  it('gives one group one time', async () => {
    const store = current();
    const views = await store.addMany(200, { deadlineMs: 1_000 });
    expect(new Set(views.map(({ createdAt }) => createdAt)).size).toBe(1);
    expect(new Set(views.map(({ deadlineAt }) => deadlineAt)).size).toBe(1);
  });

  it.each([
    [100, 'high', 0],
    [1, 'high', 0],
    [0, 'normal', 1],
    [-1, 'low', 2],
    [-100, 'low', 2],
  ])('puts priority %i into lane %s', async (priority, lane, number) => {
    const store = current();
    const { id } = await store.add({ priority });
    expect(await store.row(id)).toMatchObject({ priority, lane: number });
    await until(() => store.doorbell.rings.length > 0);
    expect(store.doorbell.rings.map((ring) => ring.lane)).toEqual([lane]);
  });

  it('schedules a delayed task from the time of the database, with a timer and without a ring', async () => {
    const store = current();
    const view = await store.add({ delayMs: 60_000 });
    expect(view.runAt).toBe(view.createdAt + 60_000);
    expect(await store.row(view.id)).toMatchObject({ state: 'scheduled', phase: 'waiting', run_at: view.runAt, rung_at: 0 });
    expectTimers(await store.timers(view.id), { run: view.runAt });
    const there = await store.add();
    await until(() => store.doorbell.rung.length > 0);
    expect(store.doorbell.rung).toEqual([bytesOf(there.id).toString('hex')]);
  });

  it('schedules a task for an instant to come, and queues one whose instant has passed', async () => {
    const store = current();
    const now = await store.now();
    const [later, due] = [await store.add({ runAt: now + 60_000 }), await store.add({ runAt: now - 1 })];
    expect(later).toMatchObject({ state: 'scheduled', runAt: now + 60_000 });
    expect(due).toMatchObject({ state: 'queued', runAt: now - 1 });
    expect(await store.row(due.id)).toMatchObject({ state: 'queued', phase: 'unrung', rung_at: 0 });
    expect(await store.claimer.claim(await store.hire(), [bytesOf(later.id), bytesOf(due.id)])).toMatchObject([{ id: due.id }]);
    await store.bury((await store.raw.query<{ id: Buffer }>(sql`SELECT id FROM workers`))[0]!.id);
  });

  it('sets a timer for the expiry and one for the deadline', async () => {
    const store = current();
    const expiresAt = (await store.now()) + 60_000;
    const view = await store.add({ expiresAt, deadlineMs: 90_000 });
    expect(view).toMatchObject({ expiresAt, deadlineAt: view.createdAt + 90_000 });
    expectTimers(await store.timers(view.id), { expire: expiresAt, deadline: view.createdAt + 90_000 });
  });

  it('stores tags where they can be searched', async () => {
    const store = current();
    const view = await store.add({ tags: ['red', 'green'] });
    const found = await store.raw.query(sql`SELECT tenant, tag, task_id FROM task_tags ORDER BY tag`);
    expect(found).toEqual([
      { tenant: 'acme', tag: 'green', task_id: bytesOf(view.id) },
      { tenant: 'acme', tag: 'red', task_id: bytesOf(view.id) },
    ]);
  });

  it('registers a queue once per tenant, also where two processes meet it at once', async () => {
    const store = current();
    const others = [store.submitterOf(), store.submitterOf(), store.submitter];
    const tasks = ['acme', 'other'].flatMap((tenant) => ['a', 'b'].map((queue) => newTask({ tenant, queue })));
    await Promise.all(others.flatMap((submitter) => tasks.flatMap((task) => [submitter.submit(task), submitter.submit(task)])));
    const found = await store.raw.query<{ tenant: string; name: string }>(sql`SELECT tenant, name FROM queues ORDER BY tenant, name`);
    expect(found.map(({ tenant, name }) => `${tenant}/${name}`)).toEqual(['acme/a', 'acme/b', 'other/a', 'other/b']);
  });

  it('does not lift a pause by registering the queue again', async () => {
    const store = current();
    await store.queues.pause('acme', 'halted', 'someone');
    await store.submitterOf().submit(newTask({ queue: 'halted' }));
    expect(await store.queues.pauses()).toEqual([{ tenant: 'acme', queue: 'halted' }]);
  });

  it('stores what does not fit the window unrung, and rings nothing for it', async () => {
    const store = current();
    store.doorbell.window = 'shut';
    const { id } = await store.add();
    store.doorbell.window = 'open';
    const { id: other } = await store.add();
    expect(await store.row(id)).toMatchObject({ state: 'queued', phase: 'unrung', rung_at: 0 });
    expect(await store.row(other)).toMatchObject({ state: 'queued', phase: 'live' });
    await until(() => store.doorbell.rung.length > 0);
    expect(store.doorbell.rung).toEqual([bytesOf(other).toString('hex')]);
  });

  it('succeeds while the doorbell is away, and leaves the task where workers look by themselves', async () => {
    const store = current();
    store.doorbell.away = true;
    store.doorbell.window = 'open';
    const views = await store.addMany(3);
    await until(async () => (await store.count(sql`tasks WHERE phase = 'unrung' AND rung_at = 0`)) === 3);
    expect(store.errors).toHaveLength(1);
    expect(await store.claimer.backlog(null, 10)).toEqual([{ queue: 'default', lane: 'normal', tenant: 'acme' }]);
    expect(views.map(({ state }) => state)).toEqual(['queued', 'queued', 'queued']);
  });

  it('refuses a name that cannot run, where all names are known, and stores nothing', async () => {
    const store = current();
    const submitter = store.submitterOf(new Set(['echo']));
    await expect(submitter.submit(newTask({ name: 'nobody' }))).rejects.toMatchObject({ kind: 'invalid', code: 'unknown-handler' });
    await submitter.submit(newTask({ name: 'echo' }));
    expect(await store.count(sql`tasks`)).toBe(1);
  });

  it('lets a row that the database refuses fail alone', async () => {
    const store = current();
    // No id names a lane of 300, no engine stores it, and no validation stands in the way here.
    const broken = newTask({ name: 'x'.repeat(129), timeoutMs: 2 ** 70 });
    const answers = await store.submitter.submitMany([
      newTask({ name: 'a' }),
      broken,
      newTask({ name: 'b', delayMs: 60_000 }),
      newTask({ name: 'c' }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect(answers[1]).toMatchObject({ reason: { kind: 'internal', code: 'database-error' } });
    expect(await store.count(sql`tasks`)).toBe(3);
    await until(() => store.doorbell.rung.length === 2);
  });

  it('fails the whole group, and none silently, while the database is away', async () => {
    const store = current();
    store.database.beAway(1);
    const answers = await store.submitter.submitMany([newTask(), newTask(), newTask()]);
    expect(answers.map((answer) => (answer.status === 'rejected' ? (answer.reason as { kind: string }).kind : 'stored'))).toEqual([
      'unavailable',
      'unavailable',
      'unavailable',
    ]);
    expect(await store.count(sql`tasks`)).toBe(0);
    await store.add();
    expect(await store.count(sql`tasks`)).toBe(1);
  });
});
