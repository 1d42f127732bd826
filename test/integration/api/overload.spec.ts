/** A pool whose connections are all held: one statement that has waited too long is enough to send the others away, until it is served. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Database, sql } from '@app/database';
import { startApiOnStore, type ApiOnStore } from '../../support/api-on-store.js';
import { backends } from '../../support/backends.js';
import { until } from '../../support/until.js';

const POOL_SIZE = 2;

describe.each(backends())('a pool that is held, on $name', (backend) => {
  let api: ApiOnStore;
  beforeAll(async () => {
    api = await startApiOnStore(backend, { DATABASE_POOL_SIZE: String(POOL_SIZE), OVERLOAD_POOL_WAIT_MS: '300', RATE_WAIT_MS: '50' });
  }, 30_000);
  afterAll(() => api.close());

  async function ask(): Promise<string> {
    const response = await fetch(`${api.url}/api/tasks`, { headers: { authorization: `Bearer ${api.token()}` } });
    const { code = 'ok' } = (await response.json()) as { code?: string };
    return `${response.status} ${code}`;
  }

  it('has further requests answered with 503 while one waits, and lets them in when it is served', async () => {
    const database = api.app.get(Database, { strict: false });
    expect(await ask()).toBe('200 ok');
    let letGo = (): void => undefined;
    const holding = new Promise<void>((resolve) => (letGo = resolve));
    let held = 0;
    const holders = Array.from({ length: backend.name === 'sqlite' ? 1 : POOL_SIZE }, () =>
      database.transaction(async (transaction) => {
        await transaction.query(sql`SELECT 1 AS held`);
        held += 1;
        await holding;
      }),
    );
    await until(() => held === holders.length, { what: 'the pool to be held' });
    const stuck = ask();
    try {
      await until(() => database.longestWaitMs >= 300, { what: 'it to have waited too long' });
      expect(await ask()).toBe('503 overloaded');
    } finally {
      letGo();
      await Promise.all(holders);
    }
    expect(await stuck).toBe('200 ok');
    await until(async () => (await ask()) === '200 ok', { what: 'requests to be let in again' });
  });
});
