/** What the port promises about statements and transactions, the same on every engine. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DatabaseError, list, rows, sql, type Database, type OpenDatabase, type SqlValue } from '../../../libs/database/src/index.js';
import { NotFound, Unavailable } from '../../../libs/errors/src/index.js';
import { backends } from '../../support/backends.js';
import { Opened, rejection } from './opened.js';

describe.each(backends())('statements on $name', (backend) => {
  const opened = new Opened();
  let database: Database;
  let open: OpenDatabase;
  beforeAll(async () => {
    open = await opened.open(await backend.databaseUrl());
    database = open.database;
    const [id, long] = backend.name === 'sqlite' ? ['BLOB', 'TEXT'] : ['BINARY(16)', 'MEDIUMTEXT'];
    const table = backend.name === 'sqlite' ? ' STRICT' : ' ENGINE=InnoDB COLLATE utf8mb4_bin';
    for (const text of [
      `CREATE TABLE v (k INTEGER PRIMARY KEY, id ${id}, n ${backend.name === 'sqlite' ? 'INTEGER' : 'BIGINT'}, t ${long})${table}`,
      `CREATE TABLE c (k INTEGER PRIMARY KEY, n INTEGER NOT NULL)${table}`,
    ])
      await database.execute({ text, values: [] });
  });
  afterAll(() => opened.close());

  const count = async (k: number): Promise<number | undefined> =>
    (await database.query<{ n: number }>(sql`SELECT n FROM c WHERE k = ${k}`))[0]?.n;
  const insert = (k: number, n = 0): ReturnType<typeof sql> => sql`INSERT INTO c (k, n) VALUES (${k}, ${n})`;

  describe('values', () => {
    let next = 0;
    const roundTrip = async (column: 'id' | 'n' | 't', value: SqlValue): Promise<unknown> => {
      next += 1;
      const name = { text: column, values: [] };
      await database.execute(sql`INSERT INTO v (k, ${name}) VALUES (${next}, ${value})`);
      const [row] = await database.query(sql`SELECT ${name} AS value FROM v WHERE k = ${next} AND (${name} = ${value} OR ${name} IS NULL)`);
      return row?.['value'];
    };

    it.each([Buffer.alloc(16), Buffer.alloc(16, 255), Buffer.from('00275c220a0d1a25005f3f2766c328ff', 'hex')])(
      'of 16 bytes come back as a Buffer: %p',
      async (id) => {
        const value = await roundTrip('id', id);
        expect(Buffer.isBuffer(value)).toBe(true);
        expect(value).toEqual(id);
      },
    );

    it.each([0, -1, 2 ** 31, -(2 ** 31) - 1, 1_893_456_000_123, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER])(
      'of whole numbers come back as numbers: %i',
      async (number) => {
        expect(await roundTrip('n', number)).toBe(number);
      },
    );

    it.each(['', ' ', 'trailing ', '😀𝒳 naïve 漢字', `'"\\%_?:name $1 -- ;`, 'a\nb\r\tc\u001a', '{"a":1e400}', '\\'])(
      'of text come back as they are: %j',
      async (text) => {
        expect(await roundTrip('t', text)).toBe(text);
      },
    );

    it('of text are not cut at a NUL, which SQLite cannot keep and replaces', async () => {
      expect(await roundTrip('t', 'a\0b')).toBe(backend.name === 'sqlite' ? 'a\uFFFDb' : 'a\0b');
    });

    it('of a megabyte come back', async () => {
      const text = '😀x'.repeat(200_000);
      expect(await roundTrip('t', text)).toBe(text);
    });

    it('that are missing stay missing', async () => {
      expect(await roundTrip('t', null)).toBeNull();
      expect(await roundTrip('id', null)).toBeNull();
    });

    it('of text are compared exactly', async () => {
      const found = await database.query(sql`SELECT CASE WHEN ${'a'} = ${'A'} THEN 1 ELSE 0 END AS same`);
      expect(found).toEqual([{ same: 0 }]);
      await database.execute(sql`INSERT INTO v (k, t) VALUES (${900_001}, ${'Tenant'})`);
      expect(await database.query(sql`SELECT k FROM v WHERE t = ${'tenant'}`)).toEqual([]);
    });
  });

  describe('the clock of the database', () => {
    it('is in whole milliseconds since the epoch', async () => {
      const slackMs = 5 * 60_000;
      const before = Date.now();
      const [row] = await database.query<{ now: number }>(sql`SELECT ${database.dialect.now} AS now`);
      const after = Date.now();
      const now = row?.now ?? 0;
      expect(Number.isSafeInteger(now)).toBe(true);
      expect(now).toBeGreaterThan(before - slackMs);
      expect(now).toBeLessThan(after + slackMs);
    });

    it('is one time for all rows of a transaction that fixes it', async () => {
      const { dialect } = database;
      const insertAll = sql`INSERT INTO v (k, n) VALUES ${rows([1, 2, 3].map((k) => [950_000 + k, dialect.fixedNow]))}`;
      await database.batch([...dialect.fixNow, insertAll]);
      const times = await database.query<{ n: number }>(sql`SELECT DISTINCT n FROM v WHERE k IN (${list([950_001, 950_002, 950_003])})`);
      expect(times).toHaveLength(1);
      expect(Number.isSafeInteger(times[0]?.n)).toBe(true);
    });
  });

  describe('one statement', () => {
    it('tells how many rows it matched, changed or not', async () => {
      await database.execute(
        sql`INSERT INTO c (k, n) VALUES ${rows([
          [101, 1],
          [102, 1],
        ])}`,
      );
      expect(await database.execute(sql`UPDATE c SET n = ${1} WHERE k IN (${list([101, 102, 103])})`)).toBe(2);
      expect(await database.execute(sql`DELETE FROM c WHERE k IN (${list([101, 102])})`)).toBe(2);
      expect(await database.query(sql`SELECT k FROM c WHERE k = ${101}`)).toEqual([]);
    });

    it('that is refused says whether it was a duplicate', async () => {
      await database.execute(insert(110));
      expect(await rejection(database.execute(insert(110)))).toMatchObject({ code: 'database-error', duplicate: true });
      const refused = await rejection(database.query(sql`SELECT no_such_column FROM c`));
      expect(refused).toBeInstanceOf(DatabaseError);
      expect(refused).toMatchObject({ duplicate: false, message: 'The database refused a statement.' });
    });

    it('with too few or too many values does not run', async () => {
      await rejection(database.execute({ text: 'INSERT INTO c (k, n) VALUES (?, ?)', values: [120] }));
      expect(await count(120)).toBeUndefined();
    });
  });

  describe('the words of the dialect', () => {
    it('keep and overwrite', async () => {
      const { dialect } = database;
      await database.execute(insert(130, 1));
      await database.execute(sql`${insert(130, 5)}${dialect.keepExisting(['k'])}`);
      expect(await count(130)).toBe(1);
      await database.execute(sql`${insert(130, 5)}${dialect.overwrite(['k'], ['n'])}`);
      expect(await count(130)).toBe(5);
    });

    it('lock and lead', async () => {
      const { dialect } = database;
      await database.execute(insert(135, 9));
      const read = await database.transaction(async (tx) => [
        await tx.query(sql`SELECT n FROM c${dialect.byPrimary} WHERE k = ${135}${dialect.lock}`),
        await tx.query(sql`SELECT n FROM c WHERE k = ${135}${dialect.lockFree}`),
      ]);
      expect(read).toEqual([[{ n: 9 }], [{ n: 9 }]]);
    });
  });

  describe('a batch', () => {
    it('answers for each statement, in order', async () => {
      const outcomes = await database.batch([
        insert(140, 7),
        sql`SELECT n FROM c WHERE k = ${140}`,
        sql`UPDATE c SET n = n + 1 WHERE k = ${140}`,
      ]);
      expect(outcomes).toEqual([
        { rows: [], affected: 1 },
        { rows: [{ n: 7 }], affected: 0 },
        { rows: [], affected: 1 },
      ]);
    });

    it('is all or nothing', async () => {
      await rejection(database.batch([insert(141), insert(142), insert(141)]));
      expect([await count(141), await count(142)]).toEqual([undefined, undefined]);
    });
  });

  describe('a transaction', () => {
    it('keeps its changes when the work ends, and answers with its result', async () => {
      const result = await database.transaction(async (tx) => {
        expect(await tx.execute(insert(150))).toBe(1);
        expect(await tx.run([sql`UPDATE c SET n = ${3} WHERE k = ${150}`, sql`SELECT n FROM c WHERE k = ${150}`])).toEqual([
          { rows: [], affected: 1 },
          { rows: [{ n: 3 }], affected: 0 },
        ]);
        expect(await tx.run([])).toEqual([]);
        return tx.query(sql`SELECT n FROM c WHERE k = ${150}`);
      });
      expect(result).toEqual([{ n: 3 }]);
      expect(await count(150)).toBe(3);
    });

    it('undoes everything when the work throws, and hands on a typed error', async () => {
      const thrown = new NotFound();
      const work = database.transaction(async (tx) => {
        await tx.execute(insert(151));
        throw thrown;
      });
      expect(await rejection(work)).toBe(thrown);
      expect(await count(151)).toBeUndefined();
      await database.transaction(async (tx) => tx.execute(insert(151, 1)));
      expect(await count(151)).toBe(1);
    });

    it('undoes everything when a statement is refused', async () => {
      const work = database.transaction(async (tx) => {
        await tx.execute(insert(152));
        await tx.execute(insert(152));
      });
      expect(await rejection(work)).toMatchObject({ duplicate: true });
      expect(await count(152)).toBeUndefined();
    });

    it('commits with its last statements', async () => {
      const outcomes = await database.transaction(async (tx) => {
        await tx.execute(insert(153));
        return tx.commitWith([sql`UPDATE c SET n = ${8} WHERE k = ${153}`, sql`SELECT n FROM c WHERE k = ${153}`]);
      });
      expect(outcomes.map(({ affected, rows: found }) => [affected, found])).toEqual([
        [1, []],
        [0, [{ n: 8 }]],
      ]);
      expect(await count(153)).toBe(8);
      expect(await database.transaction(async (tx) => tx.commitWith([insert(154)]))).toEqual([{ rows: [], affected: 1 }]);
      expect(await database.transaction(async (tx) => tx.commitWith([]))).toEqual([]);
      expect(await count(154)).toBe(0);
    });

    it('undoes everything when one of the last statements is refused', async () => {
      const work = database.transaction(async (tx) => {
        await tx.execute(insert(155));
        await tx.commitWith([insert(156), insert(155)]);
      });
      expect(await rejection(work)).toMatchObject({ duplicate: true });
      expect([await count(155), await count(156)]).toEqual([undefined, undefined]);
    });

    it('that does nothing is no error', async () => {
      expect(await database.transaction(async () => 'nothing')).toBe('nothing');
    });

    it('loses no update among many at once', async () => {
      await database.execute(insert(160));
      const { dialect } = database;
      const add = (): Promise<unknown> =>
        database.transaction(async (tx) => {
          const [row] = await tx.query<{ n: number }>(sql`SELECT n FROM c WHERE k = ${160}${dialect.lock}`);
          await new Promise((resolve) => setImmediate(resolve));
          await tx.execute(sql`UPDATE c SET n = ${(row?.n ?? 0) + 1} WHERE k = ${160}`);
        });
      await Promise.all(Array.from({ length: 30 }, add));
      expect(await count(160)).toBe(30);
    });

    it('is not seen from outside before its end', async () => {
      const seen: (number | undefined)[] = [];
      let looking: Promise<unknown> = Promise.resolve();
      await rejection(
        database.transaction(async (tx) => {
          await tx.execute(insert(161));
          looking = count(161).then((n) => seen.push(n));
          if (backend.name !== 'sqlite') await looking;
          await new Promise((resolve) => setImmediate(resolve));
          throw new NotFound();
        }),
      );
      await looking;
      expect(seen).toEqual([undefined]);
    });
  });

  describe('the entities', () => {
    it('see the same database', async () => {
      await database.execute(insert(170, 4));
      expect(await database.entities((manager) => manager.query('SELECT n FROM c WHERE k = 170'))).toEqual([{ n: 4 }]);
    });

    it('fail with the same errors', async () => {
      await database.execute(insert(171));
      const twice = database.entities((manager) => manager.query('INSERT INTO c (k, n) VALUES (171, 0)'));
      expect(await rejection(twice)).toMatchObject({ code: 'database-error', duplicate: true });
    });

    it('roll back their own transactions', async () => {
      await rejection(
        database.entities((manager) =>
          manager.transaction(async (inner) => {
            await inner.query('INSERT INTO c (k, n) VALUES (172, 0)');
            throw new Error('no');
          }),
        ),
      );
      expect(await count(172)).toBeUndefined();
    });
  });

  it('closed, refuses everything and does not hang', async () => {
    const other = await opened.open(await backend.databaseUrl());
    await other.database.close();
    for (const attempt of [
      other.database.query(sql`SELECT 1`),
      other.database.batch([sql`SELECT 1`]),
      other.database.transaction(async (tx) => tx.query(sql`SELECT 1`)),
    ])
      expect(await rejection(attempt)).toBeInstanceOf(Unavailable);
  });
});
