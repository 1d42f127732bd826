/** `npm run migrate`: makes the database if there is none, brings its schema up to date, and says what it did. */
import 'reflect-metadata';
import { loadConfig, readEnvironment } from '@app/config';
import { databaseOptions, migrate, openDatabase } from '@app/database';
import { TaskRunnerError } from '@app/errors';
import { createLogger } from '@app/telemetry';
import { ENTITIES } from './entities.js';

async function run(): Promise<void> {
  const config = loadConfig(readEnvironment());
  const logger = createLogger({ level: config.logLevel, format: config.logFormat, role: 'migrate' });
  const { database, dataSource } = await openDatabase({ ...databaseOptions(config, ENTITIES, logger), createDatabase: true });
  try {
    const done = await migrate(dataSource);
    logger.info({ migrations: done }, done.length === 0 ? 'The schema is up to date.' : 'The schema was brought up to date.');
  } finally {
    await database.close();
  }
}

try {
  await run();
} catch (error) {
  process.stderr.write(`The migration failed: ${error instanceof TaskRunnerError ? error.message : String(error)}\n`);
  process.exit(1);
}
