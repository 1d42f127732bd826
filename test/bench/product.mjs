/**
 * Task Runner X inside a program: the built modules of a role as a Nest application context, and the service that takes tasks in
 * called directly. With ROLE=all it is the whole of it, on one file.
 */
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

const built = (path) => import(new URL(`../../dist/${path}`, import.meta.url).href);
const STOP_MS = 10_000;

export async function openProducer({ queue }) {
  const [{ loadConfig, readEnvironment }, { createLogger, NestLogger }, { Shutdown }, { Database, sql }, { Doorbell }, tasks] =
    await Promise.all(['config', 'telemetry', 'lifecycle', 'database', 'queue', 'tasks'].map((lib) => built(`libs/${lib}/src/index.js`)));
  const { ProcessModule } = await built('apps/server/process.module.js');
  const { partsOf } = await built('apps/server/roles.js');
  const config = loadConfig(readEnvironment());
  const logger = createLogger({ level: 'error', format: 'json', role: config.role });
  class Root {}
  Module({})(Root);
  const imports = [ProcessModule.forRoot(config, logger), ...(await partsOf(config)).flatMap(({ modules }) => modules)];
  const app = await NestFactory.createApplicationContext(
    { module: Root, imports },
    { logger: new NestLogger(logger), abortOnError: false },
  );
  const get = (token) => app.get(token, { strict: false });
  const [shutdown, database, doorbell, submitter, ringer] = [Shutdown, Database, Doorbell, tasks.TaskSubmitter, tasks.Ringer].map(get);
  shutdown.on('close', 'connections', async () => {
    await submitter.drained();
    await ringer.drained();
    await doorbell.close();
    await database.close();
  });
  const taskOf = (payload) => ({ ...PLAIN, queue, payload: JSON.stringify(payload) });
  return {
    submitOne: async (payload) => void (await submitter.submit(taskOf(payload))),
    async submitMany(all) {
      const refused = (await submitter.submitMany(all.map(taskOf))).find(({ status }) => status === 'rejected');
      if (refused !== undefined) throw refused.reason;
    },
    async depth() {
      const [row] = await database.query(
        sql`SELECT (SELECT COUNT(*) FROM tasks WHERE phase IN ('live', 'unrung', 'waiting')) AS unfinished, (SELECT COUNT(*) FROM tasks WHERE phase = 'failed') AS failed`,
      );
      return { unfinished: Number(row.unfinished), failed: Number(row.failed) };
    },
    async close() {
      for (const stage of ['drain', 'finish', 'close']) {
        const [failure] = await shutdown.run(stage, STOP_MS);
        if (failure !== undefined) throw failure.error;
      }
      await app.close();
    },
  };
}

const PLAIN = {
  tenant: 'acme',
  name: 'bench.echo',
  priority: 0,
  runAt: null,
  delayMs: null,
  maxAttempts: null,
  retry: null,
  timeoutMs: null,
  expiresAt: null,
  deadlineMs: null,
  tags: [],
  metadata: null,
  createdBy: 'bench',
  idempotency: null,
};
