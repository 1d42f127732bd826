/**
 * A primary that was demoted keeps its connections and refuses writes on them. The first refusal is a 503, and no connection from
 * before is used again: behind the same name there may be a new primary by now.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Connection } from 'mysql2/promise';
import { CommitUnknown, sql, type OpenDatabase } from '../../../libs/database/src/index.js';
import { Unavailable } from '../../../libs/errors/src/index.js';
import { backends, newDatabase } from '../../support/backends.js';
import { canStartMariaDb, startMariaDb } from '../../support/servers/private.js';
import type { PrivateServer } from '../../support/servers/server.js';
import { isServer, LIMITS, Opened, rejection } from './opened.js';

const isPossible = backends().some(isServer) && canStartMariaDb();

it('there is a server to demote, or the run is for SQLite alone', () => {
  expect(isPossible || backends().every(({ name }) => name === 'sqlite') || !canStartMariaDb()).toBe(true);
});

if (isPossible) {
  describe('a primary that was demoted', () => {
    const opened = new Opened();
    let server: PrivateServer;
    let admin: Connection;
    let open: OpenDatabase;
    beforeAll(async () => {
      server = await startMariaDb();
      const url = new URL(await newDatabase(server.url));
      admin = await opened.raw(url.href);
      // Not an administrator: those may write to a read-only server.
      await admin.query(`CREATE USER app@'%' IDENTIFIED BY 'secret'`);
      await admin.query(`GRANT ALL ON \`${url.pathname.slice(1)}\`.* TO app@'%'`);
      await admin.query('CREATE TABLE t (k INT PRIMARY KEY)');
      [url.username, url.password] = ['app', 'secret'];
      open = await opened.open(url.href);
    }, 60_000);
    afterAll(async () => {
      await opened.close();
      await server.remove();
    });

    const sessions = async (): Promise<number[]> => {
      const ask = (): Promise<{ id: number }[]> => open.database.query(sql`SELECT CONNECTION_ID() AS id, SLEEP(0.05)`);
      return (await Promise.all(Array.from({ length: LIMITS.poolSize }, ask))).map(([row]) => Number(row?.id));
    };
    const insert = (key: number) => sql`INSERT INTO t (k) VALUES (${key})`;
    const writes: [string, (key: number) => Promise<unknown>][] = [
      ['a statement', (key) => open.database.execute(insert(key))],
      ['a batch', (key) => open.database.batch([insert(key)])],
      ['a transaction', (key) => open.database.transaction((transaction) => transaction.execute(insert(key)))],
      ['an entity', (key) => open.database.entities((manager) => manager.query('INSERT INTO t (k) VALUES (?)', [key]))],
    ];

    it.each(writes)('refuses %s as unavailable, and none of the old connections is used again', async (what, write) => {
      const before = await sessions();
      expect(new Set(before).size).toBe(LIMITS.poolSize);
      await admin.query('SET GLOBAL read_only = 1');
      const failure = await rejection(write(1));
      await admin.query('SET GLOBAL read_only = 0');
      expect(failure).toBeInstanceOf(Unavailable);
      expect(failure).not.toBeInstanceOf(CommitUnknown);
      if (what !== 'an entity') expect((await sessions()).filter((id) => before.includes(id))).toEqual([]);
      await write(2);
      expect(await open.database.query(sql`SELECT k FROM t`)).toEqual([{ k: 2 }]);
      await open.database.execute(sql`DELETE FROM t`);
    });
  });
}
