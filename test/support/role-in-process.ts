/** The loops of a role as the program puts them together, in this process, over the store of a test. */
import 'reflect-metadata';
import { Global, Module, type DynamicModule, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Config, loadConfig, type Environment } from '@app/config';
import { Database, RowIds } from '@app/database';
import { LifecycleModule, Loops, Shutdown } from '@app/lifecycle';
import { LimitsModule } from '@app/limits';
import { Doorbell } from '@app/queue';
import { TasksModule } from '@app/tasks';
import { createLogger, Logger } from '@app/telemetry';
import type { Store } from './store.js';

const STOP_MS = 10_000;

export interface RunningRole {
  /** The names of the loops that turn. */
  loops(): string[];
  stop(): Promise<void>;
}

/** `modulesOf` is asked for the role's modules with the configuration that they will get. */
export async function startRole(
  store: Store,
  environment: Environment,
  modulesOf: (config: Config) => Type | DynamicModule,
): Promise<RunningRole> {
  const config = loadConfig({ DATABASE_URL: store.url, AUTH_JWT_SECRET: 's'.repeat(64), ...environment });
  class Surroundings {}
  Module({})(Surroundings);
  Global()(Surroundings);
  const providers = [
    { provide: Config, useValue: config },
    { provide: Logger, useValue: createLogger({ level: 'silent', format: 'json', role: 'test' }) },
    { provide: Database, useValue: store.raw },
    { provide: RowIds, useValue: store.ids },
    { provide: Doorbell, useValue: store.doorbell },
    { provide: RowIds, useValue: store.ids },
  ];
  const surroundings = { module: Surroundings, providers, exports: providers };
  class Root {}
  Module({})(Root);
  const imports = [surroundings, LifecycleModule, LimitsModule, TasksModule, modulesOf(config)];
  const app = await NestFactory.createApplicationContext({ module: Root, imports }, { logger: false, abortOnError: false });
  return {
    loops: () =>
      app
        .get(Loops, { strict: false })
        .reports()
        .map(({ name }) => name),
    async stop() {
      const shutdown = app.get(Shutdown, { strict: false });
      for (const stage of ['drain', 'finish', 'close'] as const) await shutdown.run(stage, STOP_MS);
      await app.close();
    },
  };
}
