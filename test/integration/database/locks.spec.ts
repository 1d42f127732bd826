/** What happens on a MySQL-family server when transactions meet, statements hang and connections die. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CommitUnknown, LockTimeout, sql, type Database, type Sql, type Transaction } from '../../../libs/database/src/index.js';
import { Unavailable } from '../../../libs/errors/src/index.js';
import { backends } from '../../support/backends.js';
import { until } from '../../support/until.js';
import { isServer, LIMITS, one, Opened, rejection } from './opened.js';

const servers = backends().filter(isServer);

it('there is a server, or the run is for SQLite alone', () => {
  expect(servers.length > 0 || backends().every(({ name }) => name === 'sqlite')).toBe(true);
});

for (const backend of servers) {
  describe(`on ${backend.name}`, () => {
    const opened = new Opened();
    let url: string;
    let database: Database;
    beforeAll(async () => {
      url = await backend.databaseUrl();
      // More than a wait for a lock, or that would end as a statement that runs too long.
      ({ database } = await opened.open(url, { statementTimeoutMs: 5_000 }));
      await database.execute(sql`CREATE TABLE c (k INT PRIMARY KEY, n INT NOT NULL) ENGINE=InnoDB`);
      await database.execute(sql`INSERT INTO c (k, n) VALUES (1, 0), (2, 0), (3, 0), (4, 0), (5, 0)`);
    });
    afterAll(() => opened.close());

    const add = (k: number, amount = 1): Sql => sql`UPDATE c SET n = n + ${amount} WHERE k = ${k}`;
    const read = async (k: number): Promise<unknown> => (await database.query(sql`SELECT n FROM c WHERE k = ${k}`))[0]?.['n'];
    const connectionId = async (tx: Pick<Transaction, 'query'>): Promise<number> =>
      Number((await tx.query(sql`SELECT CONNECTION_ID() AS id`))[0]?.['id']);

    /** Every connection of the pool answers, at the same time. */
    async function expectWholePool(subject: Database, size: number = LIMITS.poolSize): Promise<void> {
      let here = 0;
      let open: () => void = () => undefined;
      const allHere = new Promise<void>((resolve) => (open = resolve));
      const visit = (): Promise<unknown> =>
        subject.transaction(async (tx) => {
          await tx.query(sql`SELECT 1`);
          here += 1;
          if (here === size) open();
          await allHere;
        });
      await Promise.all(Array.from({ length: size }, visit));
    }

    it('two transactions that deadlock both succeed, and nothing is counted twice', async () => {
      const before = [await read(1), await read(2)].map(Number);
      let waiting = 0;
      let runs = 0;
      let open: () => void = () => undefined;
      const bothHold = new Promise<void>((resolve) => (open = resolve));
      const cross = (first: number, second: number): Promise<void> =>
        database.transaction(async (tx) => {
          runs += 1;
          await tx.execute(add(first));
          waiting += 1;
          if (waiting === 2) open();
          await bothHold;
          await tx.execute(add(second));
        });
      await Promise.all([cross(1, 2), cross(2, 1)]);
      expect([await read(1), await read(2)]).toEqual(before.map((n) => n + 2));
      expect(runs).toBe(3);
      await expectWholePool(database);
    });

    it('two batches that deadlock all the time all succeed', async () => {
      const before = [await read(3), await read(4)].map(Number);
      const rounds = 40;
      await Promise.all(
        Array.from({ length: rounds }, (_value, turn) => database.batch(turn % 2 === 0 ? [add(3), add(4)] : [add(4), add(3)])),
      );
      expect([await read(3), await read(4)]).toEqual(before.map((n) => n + rounds));
    });

    it('a lock that is not granted ends as LockTimeout, the first half undone and the connection usable', async () => {
      const before = await read(2);
      const holder = await opened.raw(url);
      await holder.beginTransaction();
      await holder.query('UPDATE c SET n = n WHERE k = 1');
      let runs = 0;
      const work = database.transaction(async (tx) => {
        runs += 1;
        await tx.execute(add(2));
        await tx.execute(add(1));
      });
      const batch = database.batch([add(2), add(1)]);
      const failures = await Promise.all([rejection(work), rejection(batch)]);
      for (const failure of failures) expect(failure).toBeInstanceOf(LockTimeout);
      expect(runs).toBe(4);
      await holder.rollback();
      expect(await read(2)).toBe(before);
      await expectWholePool(database);
      expect(await database.execute(add(2, 0))).toBe(1);
    }, 20_000);

    it('a lock that is granted late enough is worth the wait', async () => {
      const before = Number(await read(1));
      const holder = await opened.raw(url);
      await holder.beginTransaction();
      await holder.query('UPDATE c SET n = n WHERE k = 1');
      let runs = 0;
      const work = database.transaction(async (tx) => {
        runs += 1;
        if (runs === 2) await holder.rollback();
        await tx.execute(add(1));
      });
      await work;
      expect([runs, await read(1)]).toEqual([2, before + 1]);
    }, 20_000);

    it('a statement that runs too long is ended, and the pool works on', async () => {
      const { database: single } = await opened.open(url, { poolSize: 1 });
      const failure = await rejection(single.query(sql`SELECT COUNT(*) FROM c a, c b, c d WHERE SLEEP(0.5) = 0`));
      expect(failure).toBeInstanceOf(Unavailable);
      expect(failure).not.toBeInstanceOf(CommitUnknown);
      // The same connection where the server's word came in time, a new one where the machine was too slow for it.
      expect(await connectionId(single)).toEqual(expect.any(Number));
    });

    it('a statement that the server does not end is given up, with its connection', async () => {
      const { database: single } = await opened.open(url, { poolSize: 1 });
      const id = await connectionId(single);
      const unlimited = backend.name === 'mariadb' ? sql`SET max_statement_time = 0` : sql`SET max_execution_time = 0`;
      await single.execute(unlimited);
      const failure = await rejection(single.transaction((tx) => tx.query(sql`SELECT SLEEP(20)`)));
      expect(failure).toBeInstanceOf(Unavailable);
      expect(failure).not.toBeInstanceOf(CommitUnknown);
      expect(await connectionId(single)).not.toBe(id);
    }, 20_000);

    it('who waits too long for a connection is told so, and no connection is lost', async () => {
      const { database: small } = await opened.open(url, { poolSize: 2, acquireTimeoutMs: 200 });
      let release: () => void = () => undefined;
      const released = new Promise<void>((resolve) => (release = resolve));
      let held = 0;
      const holding = [1, 2].map(() =>
        small.transaction(async (tx) => {
          await tx.query(sql`SELECT 1`);
          held += 1;
          await released;
        }),
      );
      await until(() => held === 2, { what: 'both connections to be taken' });
      const failures = await Promise.all(Array.from({ length: 20 }, () => rejection(small.query(sql`SELECT 1`))));
      for (const failure of failures) {
        expect(failure).toBeInstanceOf(Unavailable);
        expect((failure as Error).message).toContain('No database connection became free in time');
      }
      release();
      await Promise.all(holding);
      await expectWholePool(small, 2);
    });

    describe('a killed connection', () => {
      const killed = async (tx: Pick<Transaction, 'query'>): Promise<void> => {
        const admin = await opened.raw(url);
        const id = await connectionId(tx);
        await admin.query(`KILL ${id}`);
        await until(
          async () => Number((await one(admin, 'SELECT COUNT(*) AS n FROM information_schema.processlist WHERE id = ?', [id]))['n']) === 0,
          {
            what: 'the connection to be gone',
          },
        );
      };

      it('in a transaction means that nothing of it stays', async () => {
        const before = await read(5);
        const work = database.transaction(async (tx) => {
          await tx.execute(add(5));
          await killed(tx);
          await tx.execute(add(5));
        });
        const failure = await rejection(work);
        expect(failure).toBeInstanceOf(Unavailable);
        expect(failure).not.toBeInstanceOf(CommitUnknown);
        expect(await read(5)).toBe(before);
        await expectWholePool(database);
      });

      it('before the COMMIT leaves the outcome unknown', async () => {
        const before = await read(5);
        const atTheEnd = database.transaction(async (tx) => {
          await tx.execute(add(5));
          await killed(tx);
        });
        const withTheLast = database.transaction(async (tx) => {
          await tx.execute(add(5));
          await killed(tx);
          await tx.commitWith([add(5)]);
        });
        for (const work of [atTheEnd, withTheLast]) expect(await rejection(work)).toBeInstanceOf(CommitUnknown);
        expect(await read(5)).toBe(before);
        await expectWholePool(database);
      });

      it('under a batch leaves the outcome unknown', async () => {
        const admin = await opened.raw(url);
        const batch = rejection(database.batch([add(5, 0), sql`SELECT SLEEP(3) AS marker_of_this_batch`]));
        const found = await until(
          async () => {
            const row = await one(
              admin,
              `SELECT MAX(id) AS id FROM information_schema.processlist WHERE info LIKE '%marker_of_this_batch%' AND id <> CONNECTION_ID()`,
            );
            return row['id'] as number | null;
          },
          { everyMs: 5, what: 'the batch to run' },
        );
        await admin.query(`KILL ${found}`);
        expect(await batch).toBeInstanceOf(CommitUnknown);
        await expectWholePool(database);
      });

      it('that was idle disturbs nobody', async () => {
        const { database: single } = await opened.open(url, { poolSize: 1 });
        const id = await connectionId(single);
        await killed({ query: (statement) => single.query(statement) });
        await until(async () => (await connectionId(single)) !== id, { what: 'a new connection' });
      });
    });
  });
}
