/**
 * What the scheduler's loops write when the connection dies during it: the loop sees an error and comes again, and what is there in
 * the end is what would be there without the accident, once. (Submissions, claims and outcomes have suites of their own.)
 */
import { expect, it } from '@jest/globals';
import { sql } from '@app/database';
import type { Call } from '../../support/faulty-database.js';
import { bytesOf, LEASE_MS, LOOK_EVERY_MS, NO_RETENTION_MS, OOPS, RETENTION, takeAll, type Store } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';

const ACCIDENTS = ['loseAnswer', 'loseCommit', 'delayCommit'] as const;
const DAY_MS = 86_400_000;

interface Actor {
  name: string;
  /** By which kind of call it writes. */
  calls: readonly Call[];
  /** Makes a task that it will change. */
  arrange(store: Store): Promise<string>;
  act(store: Store): Promise<unknown>;
}

const abandon = async (store: Store): Promise<string> => {
  const { id } = await store.add();
  const worker = await store.hire();
  await store.claim(worker, id);
  await store.bury(worker);
  return id;
};

const due =
  (kind: 'run' | 'expire' | 'deadline' | 'unhandled') =>
  async (store: Store): Promise<string> => {
    const { id } = await store.add({ delayMs: DAY_MS, expiresAt: Date.now() + 2 * DAY_MS, deadlineMs: 2 * DAY_MS });
    if (kind === 'unhandled') {
      await store.hire({ handlers: ['another'] });
      await store.raw.execute(sql`INSERT INTO timers (task_id, kind, due_at) VALUES (${bytesOf(id)}, 'unhandled', 1)`);
    }
    await store.makeDue(id, kind);
    return id;
  };

const ACTORS: readonly Actor[] = [
  { name: 'the promoter', calls: ['transaction'], arrange: due('run'), act: (store) => takeAll(() => store.promoter.promote()) },
  {
    name: 'the sweeper that takes back',
    calls: ['transaction'],
    arrange: abandon,
    act: (store) => takeAll(() => store.sweeper.takeBack()),
  },
  ...(['expire', 'deadline', 'unhandled'] as const).map((kind): Actor => {
    const act = (store: Store): Promise<unknown> => takeAll(() => store.expirer.expire(kind));
    return { name: `the expirer of ${kind}`, calls: ['transaction'], arrange: due(kind), act };
  }),
  {
    name: 'the reconciler',
    calls: ['execute'],
    async arrange(store) {
      const { id } = await store.add();
      await store.doorbell.forget();
      await store.raw.execute(sql`UPDATE tasks SET rung_at = 1 WHERE id = ${bytesOf(id)}`);
      return id;
    },
    act: (store) => store.reconciler.reconcile(new AbortController().signal),
  },
];

/** What is there, without the times. */
async function seen(store: Store, id: string): Promise<unknown> {
  const { state, phase, reason, attempt, failures, crashes } = await store.row(id);
  const attempts = (await store.attempts(id)).map(({ attempt: number, outcome }) => [number, outcome]);
  return { state, phase, reason, attempt, failures, crashes, attempts, timers: Object.keys(await store.timers(id)) };
}

onEveryStore('a write whose COMMIT is not answered', (current) => {
  for (const { name, calls, arrange, act } of ACTORS) {
    it.each(ACCIDENTS)(`by ${name} is made once: %s`, async (accident) => {
      const store = current();
      const plain = await arrange(store);
      await act(store);
      const wanted = await seen(store, plain);
      const id = await arrange(store);
      const before = await seen(store, id);
      expect(before).not.toEqual(wanted);
      store.database[accident](calls);
      await expect(act(store)).rejects.toMatchObject({ kind: 'unavailable' });
      if (accident === 'delayCommit') expect(await seen(store, id)).toEqual(before);
      await act(store);
      expect(await seen(store, id)).toEqual(wanted);
      expect(store.database.ordered).toBe(0);
    });
  }

  it.each(ACCIDENTS)('by the sweeper that marks leaves nobody unmarked, and nobody alive marked: %s', async (accident) => {
    const store = current();
    const [still, alive] = [await store.hire(), await store.hire()];
    const look = async (): Promise<unknown> => {
      store.clock.advance(LOOK_EVERY_MS);
      await store.raw.execute(store.workers.beat(alive));
      return store.sweeper.markLost();
    };
    for (let passed = 0; passed < LEASE_MS; passed += LOOK_EVERY_MS) await look();
    // First it tries to write.
    store.database.interrupt(['execute'], () => Promise.resolve());
    store.database[accident](['execute']);
    await expect(look()).rejects.toMatchObject({ kind: 'unavailable' });
    await look();
    expect(await store.count(sql`workers WHERE id = ${still} AND state = 'lost'`)).toBe(1);
    expect(await store.count(sql`workers WHERE id = ${alive} AND state = 'live'`)).toBe(1);
  });

  it.each(ACCIDENTS)('by a worker that says it lives takes each crash back once: %s', async (accident) => {
    const store = current();
    const id = await abandon(store);
    const worker = (await store.row(id))['worker_id'] as Buffer;
    await store.sweeper.takeBack();
    await store.raw.execute(sql`UPDATE tasks SET crashes = 2 WHERE id = ${bytesOf(id)}`);
    store.database[accident](['transaction']);
    await expect(store.workers.survive(worker, [bytesOf(id)])).rejects.toMatchObject({ kind: 'unavailable' });
    await store.workers.survive(worker, [bytesOf(id)]);
    expect(await store.row(id)).toMatchObject({ state: 'queued', crashes: 1 });
  });

  it.each(ACCIDENTS)('by the pruner deletes a task whole or not at all: %s', async (accident) => {
    const store = current();
    const worker = await store.hire();
    const failed = await store.finish(worker, { kind: 'failed', reason: 'permanent_error', error: OOPS, timedOut: false });
    const pruner = store.prunerOf({ tasks: { ...RETENTION.tasks, failed: NO_RETENTION_MS } });
    store.database[accident](['transaction']);
    await expect(pruner.prune()).rejects.toMatchObject({ kind: 'unavailable' });
    for (let lap = 0; lap < 3; lap += 1) await pruner.prune();
    expect(await store.count(sql`tasks WHERE id = ${bytesOf(failed.id)}`)).toBe(0);
    expect(await store.count(sql`attempts`)).toBe(0);
  });
});
