/** The REST front over HTTP as a role puts it together, in this process, on the real store of a test. */
import 'reflect-metadata';
import { Global, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AuditModule } from '@app/audit';
import { Config, loadConfig, type Environment } from '@app/config';
import { Database, RowIds } from '@app/database';
import { KnownHandlers } from '@app/handlers';
import { LifecycleModule, Shutdown } from '@app/lifecycle';
import { LimitsModule } from '@app/limits';
import { Doorbell } from '@app/queue';
import { TasksModule } from '@app/tasks';
import { createLogger, Logger } from '@app/telemetry';
import { API_STORES, ApiModule } from '../../apps/server/api/api.module.js';
import { configureApi } from '../../apps/server/api/configure-api.js';
import type { Store } from './store.js';
import { TEST_SECRET } from './token.js';

const STOP_MS = 10_000;

export interface StoredFront {
  readonly url: string;
  readonly app: NestExpressApplication;
  stop(): Promise<void>;
}

export async function startFrontOn(store: Store, environment: Environment = {}): Promise<StoredFront> {
  const config = loadConfig({ DATABASE_URL: store.url, AUTH_JWT_SECRET: TEST_SECRET, AUTH_KEY_PEPPER: 'p'.repeat(32), ...environment });
  class Surroundings {}
  Module({})(Surroundings);
  Global()(Surroundings);
  const providers = [
    { provide: Config, useValue: config },
    { provide: Logger, useValue: createLogger({ level: 'silent', format: 'json', role: 'test' }) },
    { provide: Database, useValue: store.raw },
    { provide: RowIds, useValue: store.ids },
    { provide: Doorbell, useValue: store.doorbell },
    { provide: KnownHandlers, useValue: { find: () => undefined } },
  ];
  class Root {}
  Module({})(Root);
  const surroundings = { module: Surroundings, providers: providers as { provide: Type; useValue: unknown }[], exports: providers };
  const imports = [surroundings, LifecycleModule, AuditModule, LimitsModule, TasksModule, ...API_STORES, ApiModule];
  const app = await NestFactory.create<NestExpressApplication>(
    { module: Root, imports },
    { logger: false, bodyParser: false, abortOnError: false, forceCloseConnections: true },
  );
  configureApi(app);
  await app.listen(0, '127.0.0.1');
  return {
    url: (await app.getUrl()).replace('[::1]', '127.0.0.1'),
    app,
    async stop() {
      const shutdown = app.get(Shutdown, { strict: false });
      for (const stage of ['drain', 'finish'] as const) await shutdown.run(stage, STOP_MS);
      await app.close();
    },
  };
}
