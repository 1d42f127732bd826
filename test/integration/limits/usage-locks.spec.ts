/**
 * Locks on what tenants use: whoever holds those of one tenant keeps nobody of another waiting, and everybody takes them in one
 * order, so that two who meet wait for each other and not in a ring.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { sql } from '@app/database';
import { limit } from '../../support/limited.js';
import { onServers } from '../../support/on-servers.js';
import { keyed, newTask, openStore, type Store } from '../../support/store.js';
import { until, within } from '../../support/until.js';

onServers('the usage of tenants', (backend) => {
  let store: Store;
  beforeAll(async () => {
    store = await openStore(backend);
  }, 30_000);
  beforeEach(async () => {
    await areWaiting(0, 'nobody');
  });
  afterEach(async () => {
    expect(await store.check()).toEqual({});
  });
  afterAll(async () => {
    await store.close();
  });

  const waiting = async (): Promise<number> => {
    const [found] = await store.raw.query<{ total: number }>(
      sql`SELECT COUNT(*) AS total FROM information_schema.INNODB_TRX t JOIN information_schema.PROCESSLIST p ON p.ID = t.trx_mysql_thread_id WHERE t.trx_state = 'LOCK WAIT' AND p.DB = DATABASE()`,
    );
    return Number(found?.total);
  };

  /** The server shows what it saw a tenth of a second ago, and looks again only where nobody has asked since. */
  const areWaiting = (count: number, who: string): Promise<unknown> =>
    until(async () => (await waiting()) === count, { what: `${who} to wait`, everyMs: 150 });

  /** Makes the submitters know that the tenant is full. */
  async function fill(tenant: string): Promise<void> {
    await limit(store, { 'tasks.queued': 1 }, { tenant });
    await store.add({ tenant });
    await expect(store.add({ tenant })).rejects.toMatchObject({ code: 'quota-exceeded' });
    await store.submitter.drained();
  }

  it('keeps nobody waiting for a full tenant whose usage somebody holds', async () => {
    await fill('full');
    await store.add();
    let letGo = (): void => undefined;
    const holding = new Promise<void>((resolve) => (letGo = resolve));
    let isHeld = (): void => undefined;
    const held = new Promise<void>((resolve) => (isHeld = resolve));
    const holder = store.raw.transaction(async (transaction) => {
      await transaction.query(sql`SELECT tasks FROM tenant_usage WHERE tenant = 'full' FOR UPDATE`);
      isHeld();
      await holding;
    });
    await held;
    const refused = expect(store.add({ tenant: 'full' })).rejects.toMatchObject({ code: 'quota-exceeded' });
    const free = Promise.all(['acme', 'other'].map((tenant) => store.submitter.submit(newTask({ tenant }))));
    try {
      await areWaiting(1, 'the full one');
      await within(free, 2_000, 'the others to be accepted');
    } finally {
      letGo();
      await holder;
    }
    await refused;
  });

  it('and the names of its queues are locked in one order, by those in a hurry as by those with care', async () => {
    await fill('acme');
    await limit(store, { 'tasks.queued': 10 });
    const hurried = store.submitterOf();
    // Known to it by another queue; a keyed submission is a transaction that can be counted.
    await hurried.submit(newTask({ tenant: 'other' }));
    const before = store.database.begun;
    let other: Promise<unknown> = Promise.resolve();
    store.database.interruptInside(
      async () => {
        other = hurried.submit(newTask({ queue: 'reports', idempotency: keyed('in a hurry') }));
        await areWaiting(1, 'the one in a hurry');
      },
      1,
      'run',
    );
    await store.submitter.submit(newTask({ queue: 'reports' }));
    await other;
    expect(store.database.begun - before).toBe(2);
  });

  it('is locked in the order of tenants, also where one of a group has a queue that is new', async () => {
    await store.add({ tenant: 'a' });
    await store.add({ tenant: 'b' });
    const hurried = store.submitterOf();
    await hurried.submit(newTask({ tenant: 'a' }));
    const before = store.database.begun;
    // Takes the places of both, a before b, while the other has begun with the new queue of b.
    let both: Promise<PromiseSettledResult<unknown>[]> = Promise.resolve([]);
    await store.raw.transaction(async (transaction) => {
      await transaction.query(sql`SELECT tasks FROM tenant_usage WHERE tenant = 'a' AND queue = '' FOR UPDATE`);
      both = hurried.submitMany([newTask({ tenant: 'a', idempotency: keyed('a') }), newTask({ tenant: 'b', queue: 'reports' })]);
      await areWaiting(1, 'the group');
      await transaction.query(sql`SELECT tasks FROM tenant_usage WHERE tenant = 'b' AND queue = '' FOR UPDATE`);
    });
    expect((await both).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
    expect(store.database.begun - before).toBe(1);
  });
});
