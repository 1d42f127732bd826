/** The harness is tested like the rest: a fault test that kills nothing, or a "fresh" database that is not, proves nothing. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { backends, newDatabase } from '../support/backends.js';
import { temporaryDirectory } from '../support/reaper.js';
import { canStartPrivateServers, startMariaDb, startRedis } from '../support/servers/private.js';
import type { PrivateServer } from '../support/servers/server.js';
import { until } from '../support/until.js';

describe.each(backends())('a fresh database on $name', (backend) => {
  it('is another one at every call', async () => {
    const [first, second] = await Promise.all([backend.databaseUrl(), backend.databaseUrl()]);
    expect(first).not.toBe(second);
  });

  it('is empty', async () => {
    const url = await backend.databaseUrl();
    if (backend.name === 'sqlite') {
      const path = url.slice('sqlite:'.length);
      expect([existsSync(path), existsSync(dirname(path))]).toEqual([false, true]);
      return;
    }
    const connection = await createConnection({ uri: url });
    const [tables] = await connection.query<RowDataPacket[]>('SHOW TABLES');
    await connection.end();
    expect(tables).toEqual([]);
  });

  it('comes with a corner of Redis of its own, except on SQLite', () => {
    const [first, second] = [backend.redisUrl(), backend.redisUrl()];
    if (backend.name === 'sqlite') expect([first, second]).toEqual([null, null]);
    else expect(first?.prefix).not.toBe(second?.prefix);
  });
});

if (canStartPrivateServers()) {
  describe('a private database server', () => {
    let server: PrivateServer;
    beforeAll(async () => {
      server = await startMariaDb();
    }, 60_000);
    afterAll(() => server.remove());

    it('keeps committed rows, its port and its user over a kill', async () => {
      const uri = await newDatabase(server.url);
      const before = await createConnection({ uri });
      before.on('error', () => undefined);
      await before.query('CREATE TABLE t (id INT PRIMARY KEY)');
      await before.query('INSERT INTO t VALUES (1)');
      await server.kill9();
      await expect(createConnection({ uri })).rejects.toThrow('ECONNREFUSED');
      await server.restart();
      const after = await createConnection({ uri });
      const [rows] = await after.query<RowDataPacket[]>('SELECT id FROM t');
      await after.end();
      expect(rows).toEqual([{ id: 1 }]);
    }, 60_000);
  });

  describe('a private Redis', () => {
    it('is empty after a kill, answers nobody while frozen, and is gone when removed', async () => {
      const server = await startRedis();
      const redis = new Redis(server.url, { retryStrategy: () => 20, commandTimeout: 300 });
      redis.on('error', () => undefined);
      await redis.set('key', 'value');

      await server.kill9();
      await server.restart();
      expect(await until(async () => [await redis.get('key')], { what: 'Redis to answer again' })).toEqual([null]);

      await server.freeze();
      await expect(redis.ping()).rejects.toThrow('timed out');
      await server.thaw();
      expect(await until(() => redis.ping(), { what: 'Redis to answer again' })).toBe('PONG');

      redis.disconnect();
      await server.remove();
      await expect(new Redis(server.url, { lazyConnect: true, retryStrategy: () => null }).connect()).rejects.toThrow();
    });
  });
}

describe('the reaper', () => {
  it('kills and removes what a process leaves behind when it is ended by SIGKILL', async () => {
    const folder = temporaryDirectory('reaper');
    const loader = new URL('../support/typescript.mjs', import.meta.url).href;
    const script = `
      import { spawn } from 'node:child_process';
      import { watch } from ${JSON.stringify(new URL('../support/reaper.ts', import.meta.url).href)};
      const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' });
      watch('process', child.pid);
      watch('directory', ${JSON.stringify(folder)});
      process.stdout.write(child.pid + '\\n');
      setInterval(() => {}, 1e6);`;
    const owner = spawn(process.execPath, ['--import', loader, '--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [firstLine] = (await once(owner.stdout, 'data')) as [Buffer];
    const orphan = Number(firstLine.toString());
    expect([isAlive(orphan), existsSync(folder)]).toEqual([true, true]);
    owner.kill('SIGKILL');
    await until(() => !isAlive(orphan) && !existsSync(folder), { what: 'the orphan and the folder to be gone' });
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
