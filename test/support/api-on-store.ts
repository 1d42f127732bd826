/**
 * The REST front of the program, in this process, on a real store of its own: everything that a request passes is the program's, and
 * nothing else runs. What handlers are known is the test's to say.
 */
import 'reflect-metadata';
import { Global, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { issueToken, SCOPES, type SigningKey, TokenKeys } from '@app/auth';
import { loadConfig, type Environment } from '@app/config';
import { Database, migrate, openDatabase } from '@app/database';
import { KnownHandlers, type HandlerFacts } from '@app/handlers';
import { Clock } from '@app/lifecycle';
import { Doorbell } from '@app/queue';
import { createLogger } from '@app/telemetry';
import { API_STORES, ApiModule } from '../../apps/server/api/api.module.js';
import { configureApi } from '../../apps/server/api/configure-api.js';
import { ENTITIES } from '../../apps/server/entities.js';
import { ProcessModule } from '../../apps/server/process.module.js';
import type { Backend } from './backends.js';

const HOUR_MS = 3_600_000;
/** Who tries a thousand bad requests a second is not what these tests are about. */
const UNHURRIED = {
  ...{ RATE_FAILURES_PER_MINUTE: '100000', RATE_ANONYMOUS_PER_MINUTE: '1000000' },
  ...{
    LIMIT_REQUESTS_PER_MINUTE: '100000000',
    LIMIT_REQUESTS_BURST: '10000000',
    OVERLOAD_LOOP_DELAY_MS: '20000',
    OVERLOAD_POOL_WAIT_MS: '60000',
  },
};

export type ApiOnStore = Awaited<ReturnType<typeof startApiOnStore>>;

export async function startApiOnStore(backend: Backend, environment: Environment = {}, handlers: readonly HandlerFacts[] = []) {
  const addresses = await backend.environment();
  await migrated(String(addresses['DATABASE_URL']));
  const config = loadConfig({
    AUTH_JWT_SECRET: 's'.repeat(64),
    AUTH_KEY_PEPPER: 'p'.repeat(32),
    ...UNHURRIED,
    ...addresses,
    ...environment,
  });
  const lines: string[] = [];
  const logger = createLogger({
    level: 'debug',
    format: 'json',
    role: 'test',
    destination: { write: (line: string) => void lines.push(line) },
  });
  const known = { provide: KnownHandlers, useValue: { find: (name: string) => handlers.find((facts) => facts.name === name) } };
  class Known {}
  Module({ providers: [known], exports: [known] })(Known);
  Global()(Known);
  class Root {}
  Module({})(Root);
  const app = await NestFactory.create<NestExpressApplication>(
    { module: Root, imports: [ProcessModule.forRoot(config, logger), Known, ...API_STORES, ApiModule] },
    { logger: false, bodyParser: false, forceCloseConnections: true, abortOnError: false },
  );
  configureApi(app);
  await app.listen(0, '127.0.0.1');
  const url = (await app.getUrl()).replace('[::1]', '127.0.0.1');
  const database = app.get(Database, { strict: false });
  const token = (tenant = 'acme'): string =>
    issueToken(app.get<TokenKeys>(TokenKeys, { strict: false }) as SigningKey, app.get(Clock, { strict: false }), {
      tenant,
      subject: 'tester',
      scopes: SCOPES,
      ttlMs: HOUR_MS,
    });
  return {
    app,
    url,
    /** The lines logged so far. */
    lines,
    database,
    token,
    /** How many rows each table has; but those of the rates, which every request counts against. */
    async rows(): Promise<Record<string, number>> {
      const tables = await database.entities((manager) =>
        Promise.resolve(manager.dataSource.entityMetadatas.map(({ tableName }) => tableName).filter((name) => name !== 'rate_states')),
      );
      const counts = await Promise.all(
        tables.map(async (table) => [
          table,
          Number((await database.query({ text: `SELECT COUNT(*) AS total FROM ${table}`, values: [] }))[0]?.['total']),
        ]),
      );
      return Object.fromEntries(counts) as Record<string, number>;
    },
    async close(): Promise<void> {
      await app.close();
      await app.get(Doorbell, { strict: false }).close();
      await database.close();
    },
  };
}

async function migrated(url: string): Promise<void> {
  if (url.startsWith('sqlite:')) return;
  const wait = 10_000;
  const limits = { connectTimeoutMs: wait, acquireTimeoutMs: wait, statementTimeoutMs: wait, lockTimeoutMs: wait, bootTimeoutMs: wait };
  const { database, dataSource } = await openDatabase({
    url,
    entities: ENTITIES,
    poolSize: 1,
    tls: 'off',
    idleTransactionTimeoutMs: wait,
    ...limits,
  });
  await migrate(dataSource);
  await database.close();
}
