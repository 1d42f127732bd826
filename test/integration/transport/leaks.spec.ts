/**
 * Whatever goes wrong inside, the client learns a code and a request id, and the log, under the same id, learns the rest. Each
 * error is a real one, of a real server or of the runtime, raised behind a route of the real front.
 */
import { Controller, Get, HttpException, Param } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { Public } from '../../../libs/auth/src/index.js';
import { sql, type Database } from '../../../libs/database/src/index.js';
import { SystemClock } from '../../../libs/lifecycle/src/index.js';
import { RedisDoorbell } from '../../../libs/queue/src/index.js';
import { backends } from '../../support/backends.js';
import { startFront, type Front } from '../../support/front.js';
import { canStartRedis, startRedis } from '../../support/servers/private.js';
import { SilentProxy } from '../../support/silent-proxy.js';
import { until } from '../../support/until.js';
import { isServer, Opened } from '../database/opened.js';

/** Nothing of this may be in an answer. */
const LEAK = new RegExp(
  [
    String.raw`\b(ER_[A-Z_]+|SQLITE_\w+|ERR_\w+|ECONN\w+|ETIMEDOUT|ENOTFOUND|EPIPE|PROTOCOL_\w+)\b`,
    String.raw`\b(ReplyError|QueryFailedError|DatabaseError|TypeError|ReferenceError|OOM|READONLY)\b`,
    String.raw`\b(SELECT|INSERT|UPDATE|DELETE|REPLACE|ALTER|DROP|CREATE|WHERE)\s`,
    String.raw`\b(leaky|secretColumn|information_schema|tasks\.|attempts\.)`,
    '`[^`]+`',
    String.raw`\.[cm]?[jt]s:\d+`,
    String.raw`\bat \S+ \(`,
    String.raw`(^|[\s"'(=])/(app|usr|opt|var|tmp|etc)/`,
    'node_modules',
    String.raw`\b(10|127|192\.168|172\.(1[6-9]|2\d|3[01]))\.\d{1,3}\.\d{1,3}`,
    String.raw`hunter2`,
  ].join('|'),
);

/** A front with one more route, which runs into the trouble that its path names. */
async function frontOver(troubles: Readonly<Record<string, () => unknown>>): Promise<Front> {
  @Public()
  @Controller('trouble')
  class Troubles {
    @Get(':name')
    async meet(@Param('name') name: string): Promise<unknown> {
      return troubles[name]?.();
    }
  }
  return startFront({}, [Troubles]);
}

async function expectNoLeak(front: Front, name: string, status: number, root: RegExp): Promise<void> {
  front.clock.advance(2_000);
  front.lines.length = 0;
  const answer = await fetch(`${front.url}/trouble/${name}`);
  const text = await answer.text();
  const body = JSON.parse(text) as { code: string; requestId: string };
  expect({ name, status: answer.status, leak: LEAK.exec(text)?.[0] ?? null }).toEqual({ name, status, leak: null });
  expect(LEAK.exec([...answer.headers].join('\n'))?.[0] ?? null).toBeNull();
  expect(body.code).toBe(status === 500 ? 'internal' : 'dependency-unavailable');
  expect(body.requestId).toBe(answer.headers.get('x-request-id'));
  const told = front.lines.filter(
    (line) => line['requestId'] === body.requestId && (line['level'] === 'error' || line['level'] === 'warn'),
  );
  expect(told).toHaveLength(1);
  expect(JSON.stringify(told)).toMatch(root);
}

/** An error with a number, raised by the server itself. */
const signal = (state: string, number: number, text: string) =>
  sql`${{ text: `SIGNAL SQLSTATE '${state}' SET MYSQL_ERRNO = ${number}, MESSAGE_TEXT = '${text}'`, values: [] }}`;

for (const backend of backends()) {
  describe(`an error of ${backend.name}`, () => {
    const opened = new Opened();
    let front: Front;
    let database: Database;
    let proxy: SilentProxy | undefined;
    const isOnServer = isServer(backend);

    beforeAll(async () => {
      const open = await opened.migrated(backend);
      database = open.database;
      await database.execute(sql`CREATE TABLE leaky (id INT PRIMARY KEY, secretColumn VARCHAR(3) NOT NULL)`);
      await database.execute(sql`INSERT INTO leaky (id, secretColumn) VALUES (1, 'a')`);
      const run = (text: string) => () => database.execute({ text, values: [] });
      let cut = (): Promise<unknown> => Promise.resolve();
      if (isOnServer) {
        const before = await SilentProxy.before(open.url);
        proxy = before.proxy;
        const { database: behind } = await opened.open(before.url);
        await behind.query(sql`SELECT 1`);
        cut = async () => {
          await proxy?.close();
          return behind.query(sql`SELECT 1`);
        };
      }
      front = await frontOver({
        duplicate: run(`INSERT INTO leaky (id, secretColumn) VALUES (1, 'b')`),
        syntax: run(`SELEC secretColumn FROM leaky WHERE password = 'hunter2'`),
        'no-table': run('SELECT * FROM leaky_too'),
        'too-long': run(`INSERT INTO leaky (id, secretColumn) VALUES (2, 'hunter2 is too long')`),
        'wrong-type': run(`INSERT INTO leaky (id, secretColumn) VALUES ('hunter2', 'a')`),
        'of-typeorm': () => database.entities((manager) => manager.query(`SELECT secretColumn FROM leaky_too WHERE id = 'hunter2'`)),
        'in-a-batch': () => database.batch([sql`SELECT 1`, { text: 'INSERT INTO leaky_too VALUES (1)', values: [] }]),
        'in-a-transaction': () => database.transaction((tx) => tx.query({ text: 'SELECT hunter2 FROM leaky', values: [] })),
        deadlock: () => database.execute(signal('40001', 1213, 'Deadlock found on `leaky`')),
        'lock-wait': () => database.execute(signal('HY000', 1205, 'Lock wait timeout on `leaky`')),
        crowd: () => database.execute(signal('08004', 1040, 'Too many connections from 10.1.2.3')),
        'read-only': () => database.execute(signal('HY000', 1290, 'running with the --read-only option')),
        'full-disk': () => database.execute(signal('HY000', 1114, 'The table `leaky` is full')),
        slow: run('SELECT SLEEP(8) FROM leaky'),
        cut: () => cut(),
      });
    }, 60_000);
    afterAll(async () => {
      await front.close();
      await opened.close();
      if (proxy !== undefined) await proxy.close().catch(() => undefined);
    });

    const everywhere: [string, number, RegExp][] = [
      ['duplicate', 500, isOnServer ? /ER_DUP_ENTRY/ : /UNIQUE constraint failed/],
      ['syntax', 500, isOnServer ? /ER_PARSE_ERROR/ : /syntax error/],
      ['no-table', 500, isOnServer ? /ER_NO_SUCH_TABLE/ : /no such table/],
      ['of-typeorm', 500, isOnServer ? /ER_NO_SUCH_TABLE/ : /no such table/],
      ['in-a-batch', 500, isOnServer ? /ER_NO_SUCH_TABLE/ : /no such table/],
      ['in-a-transaction', 500, isOnServer ? /ER_BAD_FIELD_ERROR/ : /no such column/],
    ];
    const onServers: [string, number, RegExp][] = [
      ['too-long', 500, /ER_DATA_TOO_LONG/],
      ['wrong-type', 500, /ER_TRUNCATED_WRONG_VALUE_FOR_FIELD/],
      ['deadlock', 503, /ER_LOCK_DEADLOCK/],
      ['lock-wait', 503, /ER_LOCK_WAIT_TIMEOUT/],
      ['crowd', 503, /ER_CON_COUNT_ERROR/],
      ['read-only', 503, /ER_OPTION_PREVENTS_STATEMENT/],
      ['full-disk', 503, /ER_RECORD_FILE_FULL/],
      ['slow', 503, /max_statement_time|maximum statement execution time|PROTOCOL_SEQUENCE_TIMEOUT/],
      ['cut', 503, /ECONNREFUSED|PROTOCOL_CONNECTION_LOST|ECONNRESET/],
    ];

    it.each(isOnServer ? [...everywhere, ...onServers] : everywhere)(
      '"%s" leaks nothing and is found in the log under the id of the request',
      async (name, status, root) => {
        await expectNoLeak(front, name, status, root);
      },
      30_000,
    );
  });
}

describe('an error of the runtime', () => {
  let front: Front;
  beforeAll(async () => {
    front = await frontOver({
      'type-error': () => (undefined as unknown as { length: number }).length,
      'with-a-path': () => {
        throw new Error('ENOENT: no such file, open /etc/taskrunnerx/hunter2.json');
      },
      'with-a-cause': () => {
        throw new Error('outer', { cause: new RangeError('the root of it at 10.1.2.3:3306') });
      },
      'http-with-text': () => {
        throw new HttpException('INSERT INTO leaky failed: hunter2', 500);
      },
      'a-text': () => {
        // What is thrown need not be an error.
        throw 'SELECT hunter2 FROM leaky';
      },
    });
  });
  afterAll(() => front.close());

  it.each<[string, RegExp]>([
    ['type-error', /TypeError/],
    ['with-a-path', /ENOENT/],
    ['with-a-cause', /RangeError/],
    ['http-with-text', /HttpException/],
    ['a-text', /leaky/],
  ])('"%s" leaks nothing and is found in the log under the id of the request', async (name, root) => {
    await expectNoLeak(front, name, 500, root);
  });
});

const hasRedis = backends().some(isServer) && canStartRedis();

it('there is a Redis to fill, or the run is for SQLite alone', () => {
  expect(hasRedis || !canStartRedis() || backends().every(({ name }) => name === 'sqlite')).toBe(true);
});

if (hasRedis) {
  describe('an error of Redis', () => {
    let front: Front;
    let doorbell: RedisDoorbell;
    let redis: Redis;
    let remove: () => Promise<void>;
    beforeAll(async () => {
      const server = await startRedis();
      remove = () => server.remove();
      redis = new Redis(server.url);
      const settings = { urls: [server.url], connectTimeoutMs: 1_000, commandTimeoutMs: 500, onError: () => undefined };
      doorbell = new RedisDoorbell(settings, { prefix: 'leaks', window: 100, clock: new SystemClock() });
      await until(() => doorbell.answers(), { what: 'Redis to answer' });
      front = await frontOver({ ring: () => doorbell.ring([{ tenant: 'acme', queue: 'q', lane: 'normal', ids: [Buffer.alloc(16, 1)] }]) });
    }, 60_000);
    afterAll(async () => {
      redis.disconnect();
      await doorbell.close();
      await front.close();
      await remove();
    });

    it('that is full leaks nothing', async () => {
      await redis.config('SET', 'maxmemory', '1');
      await expectNoLeak(front, 'ring', 500, /OOM/);
      await expectNoLeak(front, 'ring', 503, /full/);
      await redis.config('SET', 'maxmemory', '0');
      await until(async () => (await doorbell.condition()).trouble === null, { what: 'the door to open' });
    });

    it('that became a replica leaks nothing', async () => {
      await redis.replicaof('127.0.0.1', 1);
      await expectNoLeak(front, 'ring', 500, /READONLY/);
      await redis.replicaof('NO', 'ONE');
    });
  });
}
