/**
 * Gives the application its database. Embedded, the schema is brought up to date on the way; elsewhere a schema that this
 * build does not know, older or newer, ends the boot.
 */
import { Module, type DynamicModule } from '@nestjs/common';
import { Config } from '@app/config';
import { Clock } from '@app/lifecycle';
import { Logger } from '@app/telemetry';
import { Database } from './database.js';
import { openDatabase, type DatabaseOptions, type EntityFactory, type OpenDatabase } from './open.js';
import { RowIds } from './row-id.js';
import { migrate, Schema } from './schema.js';
import type { DatabaseTls } from './server-address.js';

const OPEN = Symbol('the open database');

/** How a configuration wants the server of the database verified. */
export function databaseTls(config: Config): 'off' | DatabaseTls {
  return config.databaseTls === 'off' ? 'off' : { ca: config.databaseTlsCaFile, servername: config.databaseTlsServername };
}

/** What a configuration says about the database. */
export function databaseOptions(config: Config, entities: readonly EntityFactory[], logger: Logger): DatabaseOptions {
  return {
    url: config.databaseUrl,
    entities,
    poolSize: config.databasePoolSize,
    connectTimeoutMs: config.databaseConnectTimeoutMs,
    acquireTimeoutMs: config.databaseAcquireTimeoutMs,
    statementTimeoutMs: config.databaseStatementTimeoutMs,
    lockTimeoutMs: config.databaseLockTimeoutMs,
    idleTransactionTimeoutMs: config.databaseIdleTransactionTimeoutMs,
    tls: databaseTls(config),
    largestValueBytes: Math.max(config.payloadMaxBytes, config.resultMaxBytes, config.checkpointMaxBytes),
    bootTimeoutMs: config.databaseBootTimeoutMs,
    unsafeCommits: config.databaseUnsafeCommits,
    onWaiting: (err) => {
      logger.warn({ err }, 'The database does not answer yet; trying again.');
    },
    onAdvice: (advice) => {
      logger.warn({ advice }, 'The database is not set up as it should be.');
    },
  };
}

@Module({})
export class DatabaseModule {
  /** Exports `Database`, `RowIds` and `Schema` to the whole application. */
  static forRoot(entities: readonly EntityFactory[]): DynamicModule {
    return {
      module: DatabaseModule,
      global: true,
      providers: [
        {
          provide: OPEN,
          inject: [Config, Logger, Clock],
          useFactory: async (config: Config, logger: Logger, clock: Clock): Promise<OpenDatabase> => {
            const open = await openDatabase({ ...databaseOptions(config, entities, logger), clock });
            if (open.engine === 'sqlite') await migrate(open.dataSource);
            await new Schema(open.dataSource).assert();
            return open;
          },
        },
        { provide: Database, inject: [OPEN], useFactory: (open: OpenDatabase) => open.database },
        { provide: Schema, inject: [OPEN], useFactory: (open: OpenDatabase) => new Schema(open.dataSource) },
        { provide: RowIds, inject: [Clock], useFactory: (clock: Clock) => new RowIds(clock) },
      ],
      exports: [Database, RowIds, Schema],
    };
  }
}
