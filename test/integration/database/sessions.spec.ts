/** Every session of a MySQL-family server is the session we mean: ours and TypeORM's, from its first statement on. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql, type OpenDatabase } from '../../../libs/database/src/index.js';
import { backends } from '../../support/backends.js';
import { isServer, LIMITS, Opened, rejection } from './opened.js';

const servers = backends().filter(isServer);

it('there is a server, or the run is for SQLite alone', () => {
  expect(servers.length > 0 || backends().every(({ name }) => name === 'sqlite')).toBe(true);
});

for (const backend of servers) {
  describe(`a session on ${backend.name}`, () => {
    const opened = new Opened();
    let url: string;
    beforeAll(async () => {
      url = await backend.databaseUrl();
    });
    afterAll(() => opened.close());

    const limit = backend.name === 'mariadb' ? '@@max_statement_time' : '@@max_execution_time';
    const isolation = backend.name === 'mariadb' ? '@@tx_isolation' : '@@transaction_isolation';
    const settings =
      `SELECT @@time_zone AS zone, @@sql_mode AS mode, ${isolation} AS isolation, @@innodb_lock_wait_timeout AS lockWait,` +
      ` @@autocommit AS autocommit, ${limit} AS statementLimit, @@character_set_connection AS charset, @@collation_connection AS collation`;
    const ways: [string, (open: OpenDatabase) => Promise<unknown>][] = [
      ['of the port', ({ database }) => database.query({ text: settings, values: [] })],
      ['of a transaction', ({ database }) => database.transaction((tx) => tx.query({ text: settings, values: [] }))],
      ['of TypeORM', ({ database }) => database.entities((manager) => manager.query(settings))],
    ];

    it.each(ways)('%s has our settings in its first statement already', async (_way, ask) => {
      const open = await opened.open(url);
      const [row] = (await ask(open)) as Record<string, unknown>[];
      expect(row).toMatchObject({ zone: '+00:00', isolation: 'READ-COMMITTED', charset: 'utf8mb4', collation: 'utf8mb4_bin' });
      expect(String(row?.['mode']).split(',')).toEqual(
        expect.arrayContaining(['STRICT_ALL_TABLES', 'NO_ENGINE_SUBSTITUTION', 'ERROR_FOR_DIVISION_BY_ZERO']),
      );
      expect([row?.['lockWait'], row?.['autocommit']].map(Number)).toEqual([LIMITS.lockTimeoutMs / 1_000, 1]);
      expect(Number(row?.['statementLimit'])).toBe(
        backend.name === 'mariadb' ? LIMITS.statementTimeoutMs / 1_000 : LIMITS.statementTimeoutMs,
      );
    });

    it.each([
      [1_000, 1],
      [1_400, 1],
      [2_000, 2],
    ])('waits for a lock as many whole seconds as fit %i ms', async (lockTimeoutMs, seconds) => {
      const { database } = await opened.open(url, { lockTimeoutMs });
      const [row] = await database.query(sql`SELECT @@innodb_lock_wait_timeout AS seconds`);
      expect(Number(row?.['seconds'])).toBe(seconds);
    });

    it('refuses what does not fit instead of cutting it', async () => {
      const { database } = await opened.open(url);
      await database.execute(sql`CREATE TABLE narrow (k INT PRIMARY KEY, w VARCHAR(3) NOT NULL, n TINYINT, e ENUM('a','b')) ENGINE=InnoDB`);
      const refused = [
        sql`INSERT INTO narrow (k, w) VALUES (${1}, ${'four'})`,
        sql`INSERT INTO narrow (k, w, n) VALUES (${2}, ${'x'}, ${128})`,
        sql`INSERT INTO narrow (k, w, e) VALUES (${3}, ${'x'}, ${'c'})`,
        sql`INSERT INTO narrow (k, w, n) VALUES (${4}, ${'x'}, ${'not a number'})`,
        sql`INSERT INTO narrow (k) VALUES (${5})`,
        sql`INSERT INTO narrow (k, w, n) VALUES (${6}, ${'x'}, 1 / 0)`,
      ];
      for (const statement of refused) expect(await rejection(database.execute(statement))).toMatchObject({ code: 'database-error' });
      expect(await database.query(sql`SELECT k FROM narrow`)).toEqual([]);
    });

    it('counts a matched row although nothing in it changed', async () => {
      const { database } = await opened.open(url);
      await database.batch([
        sql`CREATE TABLE same (k INT PRIMARY KEY, n INT) ENGINE=InnoDB`,
        sql`INSERT INTO same (k, n) VALUES (${1}, ${1})`,
      ]);
      expect(await database.execute(sql`UPDATE same SET n = ${1} WHERE k = ${1}`)).toBe(1);
    });
  });
}
