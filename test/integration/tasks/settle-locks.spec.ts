/** Somebody holds the row of one outcome for long: that outcome waits, and none of its neighbours waits with it. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { LockTimeout, sql } from '@app/database';
import type { Verdict } from '@app/tasks';
import { onServers } from '../../support/on-servers.js';
import { bytesOf, OOPS, openStore, type Store } from '../../support/store.js';
import { until, within } from '../../support/until.js';

const VERDICTS: [string, Verdict][] = [
  ['success', { kind: 'succeeded', result: '1' }],
  ['retry', { kind: 'retry', delayMs: 60_000, error: OOPS, timedOut: false }],
];

onServers('outcomes while a row is held', (backend) => {
  let store: Store;
  beforeAll(async () => {
    store = await openStore(backend);
  }, 30_000);
  afterAll(async () => {
    await store.close();
  });

  it.each(VERDICTS)(
    'wait for that row alone: %s',
    async (_what, verdict) => {
      const worker = await store.hire();
      const added = await store.addMany(6);
      const tasks = await store.claimer.claim(
        worker,
        added.map(({ id }) => bytesOf(id)),
      );
      const [held, ...free] = tasks;
      let letGo: () => void = () => undefined;
      const holding = new Promise<void>((resolve) => (letGo = resolve));
      let isHeld: () => void = () => undefined;
      const taken = new Promise<void>((resolve) => (isHeld = resolve));
      const holder = store.raw.transaction(async (transaction) => {
        await transaction.query(sql`SELECT id FROM tasks WHERE id = ${held!.bytes} FOR UPDATE`);
        isHeld();
        await holding;
      });
      await taken;
      const blocked = store.settle(worker, held!, verdict);
      const settling = Promise.all(free.map((task) => store.settle(worker, task, verdict)));
      try {
        // The group waits for the lock four times, and the neighbours by themselves not at all.
        expect(await within(settling, 60_000, 'the neighbours to settle')).toEqual(free.map(() => 'settled'));
        expect(store.errors.some((error) => error instanceof LockTimeout)).toBe(true);
        expect(await store.row(held!.id)).toMatchObject({ state: 'running' });
        const next = await store.addMany(1);
        const later = await store.claim(worker, next[0]!.id);
        expect(await within(store.settle(worker, later, verdict), 10_000, 'a later outcome to settle')).toBe('settled');
      } finally {
        letGo();
        await holder;
      }
      const drained = store.settler.drained();
      expect(await blocked).toBe('settled');
      await within(drained, 10_000, 'nothing to be left');
      await until(async () => (await store.row(held!.id)).state !== 'running');
      expect(await store.attempts(held!.id)).toHaveLength(1);
      expect(await store.check()).toEqual({});
    },
    120_000,
  );
});
