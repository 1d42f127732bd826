/**
 * One process of Task Runner X: configuration, role, application, listen. Every problem of the configuration is printed at
 * once and ends the process with 1; so does a database that cannot be used.
 */
import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Config, loadConfig, plainCredentials, readEnvironment } from '@app/config';
import { Database } from '@app/database';
import { TaskRunnerError } from '@app/errors';
import { armFailpoints, Shutdown } from '@app/lifecycle';
import { Doorbell } from '@app/queue';
import { Ringer, TaskSubmitter, TaskSweeper, takeOver, Workers } from '@app/tasks';
import { createLogger, NestLogger, repeatedWarning, type Logger } from '@app/telemetry';
import { BoundedAdapter, httpLimits } from './bounded-adapter.js';
import { cannotListen } from './cannot-listen.js';
import { ProcessModule } from './process.module.js';
import { partsOf } from './roles.js';
import { Stopping } from './stop.js';
import { welcome } from './welcome.js';

/** Kept, because a worker puts another in its place: handlers and their modules may not end the process. */
const exit = process.exit.bind(process);

@Module({})
class Root {}

async function start(config: Config, logger: Logger): Promise<void> {
  const stopping = new Stopping(logger, config.shutdownTimeoutMs);
  stopping.listen();
  const parts = await partsOf(config);
  const imports = [ProcessModule.forRoot(config, logger), ...parts.flatMap(({ modules }) => modules)];
  const app = await NestFactory.create<NestExpressApplication>(
    { module: Root, imports },
    new BoundedAdapter(httpLimits(config), tellCrowd(logger)),
    { bodyParser: false, logger: new NestLogger(logger), abortOnError: false },
  );
  stopping.attach(app);
  const shutdown = app.get(Shutdown, { strict: false });
  const database = app.get(Database, { strict: false });
  const submitter = app.get(TaskSubmitter, { strict: false });
  const ringer = app.get(Ringer, { strict: false });
  const doorbell = app.get(Doorbell, { strict: false });
  shutdown.on('close', 'connections', async () => {
    // In the order of the way of a task: what is accepted is committed, then rung, and then nobody needs the connections.
    await submitter.drained();
    await ringer.drained();
    await doorbell.close();
    await database.close();
  });
  if (database.dialect.engine === 'sqlite') {
    const taken = await takeOver(database, app.get(Workers, { strict: false }), app.get(TaskSweeper, { strict: false }));
    if (taken > 0) logger.warn({ tasks: taken }, 'Tasks that the last process was running are queued again.');
  }
  for (const { configure } of parts) configure?.(app);
  try {
    await app.listen(config.port, config.host);
  } catch (error) {
    const refusal = cannotListen(error, config);
    if (refusal === null) throw error;
    // Everything else has started: a worker is in the register, and would be missed there.
    await stopping.abandon();
    throw refusal;
  }
  const { port } = app.getHttpServer().address() as AddressInfo;
  const url = `http://localhost:${port}`;
  stopping.started();
  logger.info({ port, url }, 'listening');
  if (config.embedded && config.logFormat !== 'json') {
    await welcome(app, url, (line) => {
      process.stdout.write(`${line}\n`);
    });
  }
}

function tellCrowd(logger: Logger): () => void {
  const warn = repeatedWarning(logger, () => performance.now(), 'A client was turned away: HTTP_MAX_CONNECTIONS are open.');
  return () => {
    warn(undefined);
  };
}

function fail(error: unknown): never {
  if (error instanceof TaskRunnerError) {
    process.stderr.write(`Task Runner X cannot start:\n${error.message}\n`);
    if (error.cause instanceof Error) process.stderr.write(`(${error.cause.message})\n`);
  } else {
    process.stderr.write(`Task Runner X cannot start: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  }
  return exit(1);
}

try {
  const config = loadConfig(readEnvironment());
  armFailpoints(config.failpoints);
  const logger = createLogger({ level: config.logLevel, format: config.logFormat, role: config.role });
  if (config.failpoints.length > 0) {
    logger.warn({ failpoints: config.failpoints }, 'FAILPOINTS ARE ARMED: this process will kill or stop itself on purpose.');
  }
  const plain = plainCredentials(config);
  if (plain.length > 0) {
    logger.warn({ settings: plain }, 'Passwords go to another machine without TLS; use DATABASE_TLS=verify and rediss://.');
  }
  await start(config, logger);
} catch (error) {
  fail(error);
}
