/** A process that stands still in the middle of a transaction keeps its locks for a bounded time, and is told when it goes on. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Unavailable } from '@app/errors';
import { LockTimeout, sql, type Database, type Sql } from '../../../libs/database/src/index.js';
import { backends } from '../../support/backends.js';
import { until } from '../../support/until.js';
import { isServer, Opened, rejection } from './opened.js';

const servers = backends().filter(isServer);

it('there is a server, or the run is for SQLite alone', () => {
  expect(servers.length > 0 || backends().every(({ name }) => name === 'sqlite')).toBe(true);
});

for (const backend of servers) {
  describe(`a transaction that falls silent on ${backend.name}`, () => {
    const opened = new Opened();
    let silent: Database;
    let other: Database;
    beforeAll(async () => {
      const url = await backend.databaseUrl();
      ({ database: silent } = await opened.open(url, { idleTransactionTimeoutMs: 1_000, poolSize: 2 }));
      ({ database: other } = await opened.open(url));
      await other.execute(sql`CREATE TABLE held (k INT PRIMARY KEY, n INT NOT NULL) ENGINE=InnoDB`);
      await other.execute(sql`INSERT INTO held (k, n) VALUES (1, 0)`);
    });
    afterAll(() => opened.close());

    const write = async (n: number): Promise<boolean> => {
      try {
        return (await other.execute(sql`UPDATE held SET n = ${n} WHERE k = 1`)) === 1;
      } catch (error) {
        if (error instanceof LockTimeout) return false;
        throw error;
      }
    };

    it.each<[string, Sql]>([
      ['has locked', sql`SELECT n FROM held WHERE k = 1 FOR UPDATE`],
      ['has written', sql`UPDATE held SET n = -1 WHERE k = 1`],
    ])('lets go of what it %s, and nothing of it stays', async (_what, first) => {
      let passes = 0;
      const work = silent.transaction(async (transaction) => {
        passes += 1;
        await transaction.execute(first);
        // Until somebody else has got the lock: only the server can have taken it away.
        await until(() => write(passes), { deadlineMs: 20_000, what: 'the lock to be free' });
        await transaction.execute(sql`UPDATE held SET n = -2 WHERE k = 1`);
      });
      expect(await rejection(work)).toBeInstanceOf(Unavailable);
      expect(passes).toBe(1);
      expect(await other.query(sql`SELECT n FROM held WHERE k = 1`)).toEqual([{ n: 1 }]);
      expect(await silent.query(sql`SELECT n FROM held WHERE k = 1`)).toEqual([{ n: 1 }]);
    });

    it('is the only silence that ends a session: between transactions it may rest', async () => {
      const usual = await other.query(sql`SELECT @@wait_timeout AS seconds`);
      await silent.transaction((transaction) => transaction.execute(sql`UPDATE held SET n = 5 WHERE k = 1`));
      await rejection(
        silent.transaction(async (transaction) => {
          await transaction.execute(sql`UPDATE held SET n = 6 WHERE k = 1`);
          throw new Error('rolled back');
        }),
      );
      for (let session = 0; session < 2; session += 1) expect(await silent.query(sql`SELECT @@wait_timeout AS seconds`)).toEqual(usual);
      expect(await other.query(sql`SELECT n FROM held WHERE k = 1`)).toEqual([{ n: 5 }]);
    });

    it('has no longer for the sending and the reading of an answer either', async () => {
      expect(await silent.query(sql`SELECT @@net_read_timeout AS reading, @@net_write_timeout AS writing`)).toEqual([
        { reading: 1, writing: 1 },
      ]);
    });
  });
}
