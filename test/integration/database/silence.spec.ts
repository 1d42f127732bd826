/** Connections that stay open and never answer again: no cold read waits for them for ever, and none after them suffers. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Schema, sql, type OpenDatabase } from '../../../libs/database/src/index.js';
import { Unavailable } from '../../../libs/errors/src/index.js';
import { backends } from '../../support/backends.js';
import { SilentProxy } from '../../support/silent-proxy.js';
import { within } from '../../support/until.js';
import { isServer, LIMITS, Opened, rejection } from './opened.js';

const servers = backends().filter(isServer);
/** More than TypeORM's pool has. */
const MORE_THAN_THE_POOL = 12;
/** Waiting for a connection and then for an answer, with room for a slow machine. */
const PATIENCE_MS = LIMITS.acquireTimeoutMs + LIMITS.statementTimeoutMs + 10_000;

it('there is a server, or the run is for SQLite alone', () => {
  expect(servers.length > 0 || backends().every(({ name }) => name === 'sqlite')).toBe(true);
});

for (const backend of servers) {
  describe(`silence of ${backend.name}`, () => {
    const opened = new Opened();
    let proxy: SilentProxy;
    let open: OpenDatabase;
    const read = (): Promise<unknown> => open.database.entities((manager) => manager.query('SELECT 1 AS one'));

    beforeAll(async () => {
      const { url } = await opened.migrated(backend);
      const way = await SilentProxy.before(url);
      proxy = way.proxy;
      open = await opened.open(way.url);
    });
    afterAll(async () => {
      await proxy.close();
      await opened.close();
    });

    it('ends cold reads and the look at the schema, and is forgotten when it is over', async () => {
      const schema = new Schema(open.dataSource);
      for (let round = 0; round < 2; round += 1) {
        // Every connection of the pool is open and idle.
        await Promise.all(Array.from({ length: MORE_THAN_THE_POOL }, read));
        proxy.fallSilent();
        const failures = await within(
          Promise.all([...Array.from({ length: MORE_THAN_THE_POOL }, () => rejection(read())), rejection(schema.assert())]),
          PATIENCE_MS,
          'every cold read to give up',
        );
        expect(failures.map((failure) => failure instanceof Unavailable)).toEqual(failures.map(() => true));
        proxy.speak();
        expect(await Promise.all(Array.from({ length: MORE_THAN_THE_POOL }, read))).toHaveLength(MORE_THAN_THE_POOL);
        await schema.assert();
      }
    }, 90_000);

    it('that one cold read has met does not meet the next on another old connection', async () => {
      await Promise.all(Array.from({ length: MORE_THAN_THE_POOL }, read));
      proxy.fallSilent();
      expect(await within(rejection(read()), PATIENCE_MS, 'the cold read to give up')).toBeInstanceOf(Unavailable);
      proxy.speak();
      for (let count = 0; count < MORE_THAN_THE_POOL; count += 1) expect(await read()).toEqual([{ one: 1 }]);
    }, 60_000);

    it('that one hot statement has met does not meet the next on another old connection', async () => {
      const ask = (): Promise<unknown> => open.database.query(sql`SELECT 1 AS one`);
      await Promise.all(Array.from({ length: MORE_THAN_THE_POOL }, ask));
      proxy.fallSilent();
      expect(await within(rejection(ask()), PATIENCE_MS, 'the statement to give up')).toBeInstanceOf(Unavailable);
      proxy.speak();
      for (let count = 0; count < MORE_THAN_THE_POOL; count += 1) expect(await ask()).toEqual([{ one: 1 }]);
    }, 60_000);

    it('of a connection that is still being set up ends the statement that waits for it', async () => {
      const way = await SilentProxy.before((await opened.migrated(backend)).url);
      try {
        const { database } = await opened.open(way.url, { poolSize: 1 });
        way.proxy.fallSilentAfterHandshake();
        expect(await within(rejection(database.query(sql`SELECT 1 AS one`)), PATIENCE_MS, 'the statement to give up')).toBeInstanceOf(
          Unavailable,
        );
        way.proxy.speak();
        expect(await database.query(sql`SELECT 1 AS one`)).toEqual([{ one: 1 }]);
      } finally {
        await way.proxy.close();
      }
    }, 60_000);
  });
}
