/** Request rates on a real database: shared by processes, kept over restarts, and by its clock alone. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sql, type OpenDatabase } from '@app/database';
import { SystemClock } from '@app/lifecycle';
import { RateLimiter, RateTaker, StoredRates, type Want } from '@app/limits';
import { scopeOf } from '../../../libs/limits/src/rate-scope.js';
import { backends } from '../../support/backends.js';
import { until } from '../../support/until.js';
import { Opened } from '../database/opened.js';

const HOUR_US = 3_600_000_000;
const CALLER = { tenant: 't', credential: 'sub:a' };
const TERMS = { leaseMs: 5_000, waitMs: 5_000, credentialPercent: 100, rememberedMax: 100 };

describe.each(backends())('request rates on $name', (backend) => {
  const opened = new Opened();
  let open: OpenDatabase & { url: string };
  let store: StoredRates;
  beforeAll(async () => {
    open = await opened.migrated(backend, { poolSize: 8 });
    store = new StoredRates(open.database);
  });
  beforeEach(async () => {
    await open.database.execute(sql`DELETE FROM rate_states`);
  });
  afterAll(() => opened.close());

  /** One process: what it knows is gone with it. */
  function process(perMinute: number, burst: number): RateLimiter {
    const clock = new SystemClock();
    const taker = new RateTaker(store, clock, (error) => {
      throw error;
    });
    return new RateLimiter({ of: () => ({ 'requests.perMinute': perMinute, 'requests.burst': burst }) }, taker, clock, TERMS);
  }

  async function passed(limiter: RateLimiter, times: number, caller = CALLER): Promise<number> {
    const answers = await Promise.all(Array.from({ length: times }, async () => limiter.admit(caller)));
    return answers.filter(({ refused }) => refused === null).length;
  }

  function want(name: string, change: Partial<Want> = {}): Want {
    return { scope: scopeOf('tenant', name), wantUs: 1_000_000, needUs: 1_000_000, unitUs: 1_000_000, spanUs: 10_000_000, ...change };
  }

  async function take(change: Partial<Want> = {}, name = 'one') {
    const [taken] = await store.take([want(name, change)]);
    return taken!;
  }

  const states = (): Promise<{ tat: number; now: number }[]> =>
    open.database.query(sql`SELECT tat, ${open.database.dialect.now} * 1000 AS now FROM rate_states`);

  it('are shared: several processes together let pass the burst and no more', async () => {
    // One per minute, so the time that the test takes adds nothing.
    const limiters = [process(1, 50), process(1, 50), process(1, 50)];
    const counts = await Promise.all(limiters.map((limiter, index) => passed(limiter, 40, { ...CALLER, credential: `sub:${index}` })));
    const total = counts.reduce((sum, count) => sum + count, 0);
    expect(total).toBeLessThanOrEqual(50);
    // What one of them has leased last and does not use is nobody's until the lease is over.
    expect(total).toBeGreaterThan(35);
    expect(await passed(process(1, 50), 5)).toBe(0);
    expect(await passed(process(1, 50), 5, { ...CALLER, tenant: 'u' })).toBe(5);
  });

  it('survive a restart: a new process finds them used up', async () => {
    expect(await passed(process(1, 5), 9)).toBe(5);
    const [answer] = await Promise.all([process(1, 5).admit(CALLER)]);
    expect(answer.refused?.waitMs).toBeGreaterThan(50_000);
    expect(answer.refused?.waitMs).toBeLessThanOrEqual(60_000);
  });

  it('let pass again what time adds, by the clock of the database', async () => {
    const limiter = process(600, 2);
    expect(await passed(limiter, 5)).toBe(2);
    await until(async () => (await passed(limiter, 1)) === 1, { what: 'the rate to let one pass' });
    expect(await passed(process(600, 2), 5)).toBeLessThanOrEqual(1);
  });

  it('take a block while there is plenty, then what is needed, then whole requests of what is left, then nothing', async () => {
    expect(await take({ wantUs: 2_000_000 })).toMatchObject({ takenUs: 2_000_000 });
    expect(await take({ wantUs: 2_500_000, needUs: 2_000_000 })).toMatchObject({ takenUs: 2_000_000 });
    expect(await take({ wantUs: 5_000_000, needUs: 5_000_000 })).toMatchObject({ takenUs: 5_000_000 });
    const rest = await take({ wantUs: 4_000_000, needUs: 4_000_000 });
    expect(rest.takenUs).toBe(1_000_000);
    const none = await take();
    expect(none.takenUs).toBe(0);
    expect(none.spareUs).toBeLessThan(1_000_000);
  });

  it('never hand out an allowance twice, however many ask at the same time for however many scopes', async () => {
    const names = Array.from({ length: 6 }, (_, index) => `scope ${index}`);
    const wants = (): Want[] =>
      names.map((name) => want(name, { wantUs: 60_000_000, needUs: 60_000_000, unitUs: 60_000_000, spanUs: 1_200_000_000 }));
    const groups = await Promise.all(Array.from({ length: 30 }, (_, index) => store.take(index % 2 === 0 ? wants() : wants().reverse())));
    const total = groups.flat().reduce((sum, { takenUs }) => sum + takenUs, 0);
    expect(total).toBe(names.length * 1_200_000_000);
  });

  it('lock nobody out for longer than the burst when the clock of the database was set back by an hour', async () => {
    await take({ wantUs: 10_000_000, needUs: 10_000_000 });
    await open.database.execute(sql`UPDATE rate_states SET tat = tat + ${HOUR_US}`);
    expect((await take({ unitUs: 50_000, needUs: 50_000, wantUs: 50_000 })).takenUs).toBe(0);
    const [state] = await states();
    expect(Number(state!.tat) - Number(state!.now)).toBeLessThanOrEqual(10_000_000);
    await sleep(60);
    expect((await take({ unitUs: 50_000, needUs: 50_000, wantUs: 50_000 })).takenUs).toBe(50_000);
  });

  it('hold by a lower limit at once', async () => {
    await take({ wantUs: 5_000_000, needUs: 5_000_000 });
    expect((await take({ spanUs: 3_000_000 })).takenUs).toBe(0);
    const [state] = await states();
    expect(Number(state!.tat) - Number(state!.now)).toBeLessThanOrEqual(3_000_000);
  });

  it('leave no rows behind that say nothing, page by page, and none out that does', async () => {
    const scopes = Array.from({ length: 1_100 }, (_, index) => want(`past ${index}`));
    for (let from = 0; from < scopes.length; from += 100) await store.take(scopes.slice(from, from + 100));
    await open.database.execute(sql`UPDATE rate_states SET tat = 1`);
    await take({}, 'in use');
    let deleted = 0;
    let pages = 0;
    for (let cursor: Buffer | null = null; pages === 0 || cursor !== null; pages += 1) {
      const page = await store.prune(cursor);
      expect(page.deleted).toBeLessThanOrEqual(500);
      deleted += page.deleted;
      cursor = page.cursor;
    }
    expect([pages, deleted, (await states()).length]).toEqual([3, 1_100, 1]);
  });

  it('are counted by the database how many wait for a connection, and how long the first of them has', async () => {
    const { database } = await opened.open(backend.name === 'sqlite' ? await backend.databaseUrl() : open.url, { poolSize: 2 });
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const holders = [0, 1].map(() =>
      database.transaction(async (transaction) => {
        await transaction.query(sql`SELECT 1 AS held`);
        await held;
      }),
    );
    await sleep(50);
    const queries = Array.from({ length: 7 }, () => database.query(sql`SELECT 1 AS asked`));
    await sleep(50);
    expect(database.waiting).toBe(backend.name === 'sqlite' ? 9 : 7);
    const waited = database.longestWaitMs;
    expect(waited).toBeGreaterThan(40);
    await until(() => database.longestWaitMs > waited + 50, { what: 'the wait to be longer' });
    release();
    await Promise.all([...holders, ...queries]);
    expect([database.waiting, database.longestWaitMs]).toEqual([0, 0]);
  });
});
