/** Opening a database: files that are held or are none, servers that come late, refuse, or are made on the way. */
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from '@jest/globals';
import { sql } from '../../../libs/database/src/index.js';
import { InvalidConfiguration, Unavailable } from '../../../libs/errors/src/index.js';
import { backends } from '../../support/backends.js';
import { canStartMariaDb, startMariaDb } from '../../support/servers/private.js';
import { until } from '../../support/until.js';
import { isServer, Opened, rejection } from './opened.js';

const opened = new Opened();
afterAll(() => opened.close());

const sqlite = backends().find((backend) => !isServer(backend));
const server = backends().find(isServer);

if (sqlite !== undefined) {
  describe('a SQLite file', () => {
    it('held by this process is refused a second time', async () => {
      const url = await sqlite.databaseUrl();
      const first = await opened.open(url);
      const failure = await rejection(opened.open(url));
      expect(failure).toBeInstanceOf(InvalidConfiguration);
      expect(String(failure)).toContain('another process has this SQLite file open');
      await first.database.close();
      expect(await (await opened.open(url)).database.query(sql`SELECT 1 AS x`)).toEqual([{ x: 1 }]);
    });

    it('held by this process is closed to every other', async () => {
      const url = await sqlite.databaseUrl();
      await opened.open(url);
      const script =
        `import('@photostructure/sqlite').then(({ DatabaseSync }) => {` +
        `  const file = new DatabaseSync(process.argv[1], { timeout: 50 });` +
        `  try { file.exec('BEGIN IMMEDIATE'); console.log('in'); } catch (error) { console.log(error.errcode & 255); } });`;
      const { stdout } = await promisify(execFile)(process.execPath, ['-e', script, url.slice('sqlite:'.length)]);
      expect(stdout.trim()).toBe('5');
    });

    it('is made together with its folder', async () => {
      const url = await sqlite.databaseUrl();
      const deeper = `sqlite:${join(dirname(url.slice('sqlite:'.length)), 'a', 'b', 'c.db')}`;
      const { database, engine } = await opened.open(deeper);
      expect(engine).toBe('sqlite');
      const [row] = await database.query(sql`PRAGMA synchronous`);
      const [mode] = await database.query(sql`PRAGMA journal_mode`);
      expect([row?.['synchronous'], mode?.['journal_mode']]).toEqual([2, 'wal']);
    });

    it.each(['no database at all', 'a folder'])('that is %s is refused in words', async (kind) => {
      const url = await sqlite.databaseUrl();
      const path = url.slice('sqlite:'.length);
      if (kind === 'a folder') mkdirSync(path);
      else writeFileSync(path, 'This is a letter, not a database. '.repeat(200));
      const failure = await rejection(opened.open(url));
      expect(failure).toBeInstanceOf(InvalidConfiguration);
      expect(String(failure)).toContain('DATABASE_URL');
    });

    it('keeps what was committed, and nothing of what was not', async () => {
      const url = await sqlite.databaseUrl();
      const first = await opened.open(url);
      await first.database.batch([sql`CREATE TABLE t (k INTEGER PRIMARY KEY) STRICT`, sql`INSERT INTO t (k) VALUES (1)`]);
      await first.database.close();
      const second = await opened.open(url);
      expect(await second.database.query(sql`SELECT k FROM t`)).toEqual([{ k: 1 }]);
    });

    it('that is full says so and goes on with what fits', async () => {
      const { database } = await opened.open(await sqlite.databaseUrl());
      await database.execute(sql`CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT) STRICT`);
      await database.query(sql`PRAGMA max_page_count = 50`);
      const big = 'x'.repeat(1_000_000);
      const insertBig = sql`INSERT INTO t (v) VALUES (${big})`;
      expect(await rejection(database.execute(insertBig))).toBeInstanceOf(Unavailable);
      expect(await rejection(database.batch([insertBig]))).toBeInstanceOf(Unavailable);
      expect(await rejection(database.transaction((tx) => tx.execute(insertBig)))).toBeInstanceOf(Unavailable);
      expect(await database.execute(sql`INSERT INTO t (v) VALUES (${'small'})`)).toBe(1);
      expect(await database.query(sql`SELECT v FROM t`)).toEqual([{ v: 'small' }]);
    });
  });
}

if (server !== undefined) {
  describe('a server', () => {
    it('that refuses the password is refused at once, without naming it', async () => {
      const url = new URL(await server.databaseUrl());
      url.username = 'nobody-known';
      url.password = 'Tr0ub4dor';
      let waited = 0;
      const failure = await rejection(opened.open(url.href, { bootTimeoutMs: 60_000, onWaiting: () => (waited += 1) }));
      expect(failure).toBeInstanceOf(InvalidConfiguration);
      expect(String(failure)).toContain('DATABASE_URL');
      expect(String(failure)).not.toContain('Tr0ub4dor');
      expect(waited).toBe(0);
    });

    it('that has no such database is refused, unless it is to be made', async () => {
      const url = `${await server.databaseUrl()}_more`;
      const failure = await rejection(opened.open(url));
      expect(failure).toBeInstanceOf(InvalidConfiguration);
      expect(String(failure)).toContain('npm run migrate');
      const { database } = await opened.open(url, { createDatabase: true });
      const again = await opened.open(url, { createDatabase: true });
      expect(await again.database.query(sql`SELECT 1 AS x`)).toEqual([{ x: 1 }]);
      const name = new URL(url).pathname.slice(1);
      await database.execute({ text: `DROP DATABASE \`${name}\``, values: [] });
    });

    it('that neither lets its user make a database nor has one for it says so, and what to do', async () => {
      const { database } = await opened.open(await server.databaseUrl());
      const name = `powerless${process.pid}`;
      await database.execute(sql`CREATE USER ${name}@'%' IDENTIFIED BY 'secret'`);
      try {
        const url = new URL(await server.databaseUrl());
        Object.assign(url, { username: name, password: 'secret', pathname: '/not_there' });
        const failure = await rejection(opened.open(url.href, { createDatabase: true }));
        expect(failure).toBeInstanceOf(InvalidConfiguration);
        expect(String(failure)).toMatch(/DATABASE_URL: the server refuses: Access denied .*not_there.* Grant this user the database/);
      } finally {
        await database.execute(sql`DROP USER ${name}@'%'`);
      }
    });

    it('that nobody runs is waited for, for as long as was said', async () => {
      const url = new URL(await server.databaseUrl());
      url.port = '1';
      const errors: unknown[] = [];
      const failure = await rejection(opened.open(url.href, { bootTimeoutMs: 700, onWaiting: (error) => errors.push(error) }));
      expect(failure).toBeInstanceOf(Unavailable);
      expect((failure as Error).message).not.toMatch(/127\.0\.0\.1|ECONNREFUSED/);
      expect(errors.length).toBeGreaterThan(0);
    });
  });
}

if (server !== undefined && canStartMariaDb()) {
  describe('a server of our own', () => {
    it('that comes up late is waited for, and one that comes back is found again', async () => {
      const own = await startMariaDb();
      try {
        await own.stop();
        let waiting: () => void = () => undefined;
        const isWaiting = new Promise<void>((resolve) => (waiting = resolve));
        const opening = opened.open(`${own.url}/late`, { createDatabase: true, bootTimeoutMs: 60_000, onWaiting: waiting });
        await isWaiting;
        await own.restart();
        const { database } = await opening;
        expect(await database.query(sql`SELECT 1 AS x`)).toEqual([{ x: 1 }]);

        await own.kill9();
        expect(await rejection(database.query(sql`SELECT 1 AS x`))).toBeInstanceOf(Unavailable);
        await own.restart();
        expect(await database.query(sql`SELECT 1 AS x`)).toEqual([{ x: 1 }]);

        await own.freeze();
        const asked = (): Promise<unknown> => database.query(sql`SELECT 1 AS x`);
        const failure = await until(
          () =>
            asked().then(
              () => false,
              (error: unknown) => error,
            ),
          { what: 'the frozen server to be missed' },
        );
        expect(failure).toBeInstanceOf(Unavailable);
        await own.thaw();
        expect(await database.query(sql`SELECT 1 AS x`)).toEqual([{ x: 1 }]);
        await database.close();
      } finally {
        await own.remove();
      }
    }, 60_000);
  });
}

if (server !== undefined) {
  describe('a server that takes less at once than a statement may need', () => {
    it('is refused in words when the process starts, and one that takes enough is not', async () => {
      const url = await server.databaseUrl();
      const failure = await rejection(opened.open(url, { largestValueBytes: 1_073_741_824 }));
      expect(failure).toBeInstanceOf(InvalidConfiguration);
      expect(String(failure)).toMatch(/takes \d+ bytes at once \(max_allowed_packet\), and a statement may need 2147549184/);
      await opened.open(url, { largestValueBytes: 4_194_304 });
    });
  });
}
