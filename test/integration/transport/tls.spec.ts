/**
 * TLS to the servers behind, with certificates made here: the right authority and name work; a wrong one of either is refused in
 * words, nothing is sent to such a server, and nobody falls back to talking in the open.
 */
import { readFileSync } from 'node:fs';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { databaseOptions, openDatabase, sql } from '../../../libs/database/src/index.js';
import { loadConfig } from '../../../libs/config/src/index.js';
import { InvalidConfiguration } from '../../../libs/errors/src/index.js';
import { SystemClock } from '../../../libs/lifecycle/src/index.js';
import { RedisDoorbell } from '../../../libs/queue/src/index.js';
import { createLogger } from '../../../libs/telemetry/src/index.js';
import { backends, newDatabase } from '../../support/backends.js';
import { removeDirectory, temporaryDirectory } from '../../support/reaper.js';
import { Authority } from '../../support/servers/certificates.js';
import { canStartPrivateServers, canStartServersWithTls, startDatabaseWithTls, startRedisWithTls } from '../../support/servers/private.js';
import type { PrivateServer } from '../../support/servers/server.js';
import { until } from '../../support/until.js';

const isPossible = canStartServersWithTls() && backends().some(({ name }) => name !== 'sqlite');
const NAME = 'servers.example';

it('there are servers to talk to, or the run is for SQLite or given servers alone', () => {
  expect(isPossible || !canStartPrivateServers() || backends().every(({ name }) => name === 'sqlite')).toBe(true);
});

if (isPossible) {
  const directory = temporaryDirectory('tls');
  const [ours, foreign] = [new Authority(directory, 'ours'), new Authority(directory, 'foreign')];
  afterAll(() => {
    removeDirectory(directory);
  });

  describe('TLS to the database', () => {
    let server: PrivateServer;
    let url: string;
    const closers: (() => Promise<void>)[] = [];
    beforeAll(async () => {
      server = await startDatabaseWithTls(ours.issue(NAME, 'localhost'));
      url = await newDatabase(server.url);
    }, 90_000);
    afterAll(async () => {
      for (const close of closers) await close();
      await server.remove();
    });

    const open = async (environment: Record<string, string>, onAdvice?: (advice: string) => void) => {
      const config = loadConfig({ AUTH_JWT_SECRET: 's'.repeat(64), DATABASE_URL: url, DATABASE_BOOT_TIMEOUT_MS: '20000', ...environment });
      const options = databaseOptions(config, [], createLogger({ level: 'silent', format: 'json', role: 'test' }));
      const opened = await openDatabase({ ...options, ...(onAdvice && { onAdvice }) });
      closers.push(() => opened.database.close());
      return opened;
    };
    const verified = { DATABASE_TLS: 'verify', DATABASE_TLS_CA_FILE: ours.certificate, DATABASE_TLS_SERVERNAME: NAME };
    const cipher = sql`SHOW SESSION STATUS LIKE 'Ssl_cipher'`;

    it('works with the right authority and name, on every connection', async () => {
      const { database } = await open(verified);
      const [row] = await database.query(cipher);
      expect(String(row?.['Value'])).toMatch(/^TLS_|ECDHE/);
      const cold = await database.entities((manager) => manager.query<{ Value: string }[]>(cipher.text));
      expect(cold[0]?.Value).toMatch(/^TLS_|ECDHE/);
    });

    it('works where the host has the name in the certificate', async () => {
      const { database } = await open({
        DATABASE_URL: url.replace('127.0.0.1', 'localhost'),
        DATABASE_TLS: 'verify',
        DATABASE_TLS_CA_FILE: ours.certificate,
      });
      expect(await database.query(sql`SELECT 1 AS one`)).toEqual([{ one: 1 }]);
    });

    it.each([
      ['an authority that is not ours', { DATABASE_TLS_CA_FILE: foreign.certificate }, 'an authority that is not trusted here'],
      ['another name', { DATABASE_TLS_SERVERNAME: 'other.example' }, 'a certificate for another name'],
    ])('refuses %s at the start, at once and in words', async (_what, wrong, words) => {
      const failure: unknown = await open({ ...verified, ...wrong }).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(InvalidConfiguration);
      expect(String(failure)).toContain(words);
      expect(String(failure)).not.toMatch(/127\.0\.0\.1|tester|\/.*\.pem/);
    });

    it('refuses an authority that only Node.js knows not to be there', async () => {
      const failure: unknown = await open({ DATABASE_TLS: 'verify', DATABASE_TLS_SERVERNAME: NAME }).catch((error: unknown) => error);
      expect(String(failure)).toContain('not trusted here');
    });

    it('a server that may lose committed rows is refused, or warned of where that is accepted', async () => {
      const admin = await createConnection({ uri: server.url });
      const [[before]] = await admin.query<RowDataPacket[]>('SELECT @@GLOBAL.innodb_flush_log_at_trx_commit AS flushes');
      expect(before).toEqual({ flushes: 1 });
      await admin.query('SET GLOBAL innodb_flush_log_at_trx_commit = 2');
      try {
        const failure: unknown = await open({}).catch((error: unknown) => error);
        expect(String(failure)).toContain('innodb_flush_log_at_trx_commit of the server is not 1');
        const advice: string[] = [];
        await open({ DATABASE_UNSAFE_COMMITS: 'warn' }, (words) => advice.push(words));
        expect(advice).toEqual([expect.stringContaining('A power cut may lose accepted tasks')]);
      } finally {
        await admin.query('SET GLOBAL innodb_flush_log_at_trx_commit = 1');
        await admin.end();
      }
    });
  });

  describe('TLS to Redis', () => {
    let server: Awaited<ReturnType<typeof startRedisWithTls>>;
    const doorbells: RedisDoorbell[] = [];
    beforeAll(async () => {
      server = await startRedisWithTls(ours.issue(NAME));
    }, 60_000);
    afterAll(async () => {
      for (const doorbell of doorbells) await doorbell.close();
      await server.remove();
    });

    const doorbellOver = (ca: string, servername: string | null, scheme = 'rediss') => {
      const told: string[] = [];
      const address = new URL(server.url);
      address.port = String(server.tlsPort);
      const doorbell = new RedisDoorbell(
        {
          urls: [address.href.replace(/^redis:/, `${scheme}:`)],
          connectTimeoutMs: 2_000,
          commandTimeoutMs: 1_000,
          tls: { ca: readFileSync(ca, 'utf8'), servername },
          onError: () => undefined,
        },
        {
          prefix: 'tls',
          window: 100,
          clock: new SystemClock(),
          report: { began: (reason) => told.push(reason), ended: () => told.push('over'), advise: (advice) => told.push(advice) },
        },
      );
      doorbells.push(doorbell);
      return { doorbell, told };
    };

    it('works with the right authority and name', async () => {
      const { doorbell } = doorbellOver(ours.certificate, NAME);
      await until(() => doorbell.answers(), { what: 'Redis to answer over TLS' });
      await doorbell.ring([{ tenant: 'acme', queue: 'q', lane: 'normal', ids: [Buffer.alloc(16, 1)] }]);
      const reader = doorbell.open('q', 'worker-1');
      const deliveries = await reader.read({ tasks: 1, lanes: ['normal'], blockMs: 1_000, signal: new AbortController().signal });
      expect(deliveries).toHaveLength(1);
      await reader.close();
    });

    it.each([
      ['an authority that is not ours', foreign.certificate, NAME, 'an authority that is not trusted here'],
      ['another name', ours.certificate, 'other.example', 'a certificate for another name'],
      ['the number of a host that the certificate does not have', ours.certificate, null, 'a certificate for another name'],
    ])('leaves a server with %s alone and says why, once', async (_what, ca, servername, words) => {
      const { doorbell, told } = doorbellOver(ca, servername);
      await until(() => told.length > 0, { what: 'the refusal to be told' });
      expect((await doorbell.condition()).trouble).toContain(words);
      expect((await doorbell.condition()).trouble).toContain(words);
      expect(told).toEqual([expect.stringContaining(words)]);
      expect(doorbell.admits('acme', 'q', 'normal', 1)).toBe(false);
      await expect(doorbell.ring([{ tenant: 'acme', queue: 'q', lane: 'normal', ids: [Buffer.alloc(16, 2)] }])).rejects.toThrow();
    });

    it('does not talk in the open to a server that wants TLS', async () => {
      const { doorbell, told } = doorbellOver(ours.certificate, NAME, 'redis');
      await until(() => told.length > 0, { what: 'the outage to be told' });
      expect(await doorbell.answers()).toBe(false);
    });
  });
}
