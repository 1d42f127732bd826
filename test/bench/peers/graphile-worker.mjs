/**
 * graphile-worker at its best setting: jobs are fetched ahead into a local queue, their completions are gathered, addJobs for batches.
 * Its completed jobs are deleted, as they come.
 */
import { Logger, makeWorkerUtils, run } from 'graphile-worker';

const logger = new Logger(() => (level, message) => {
  if (level === 'error') process.stderr.write(`${message}\n`);
});

export async function openProducer({ url }) {
  const utils = await makeWorkerUtils({ connectionString: url, maxPoolSize: 16, logger });
  await utils.migrate();
  return {
    submitOne: async (payload) => void (await utils.addJob('bench', payload)),
    submitMany: async (all) => void (await utils.addJobs(all.map((payload) => ({ identifier: 'bench', payload })))),
    close: () => utils.release(),
  };
}

export async function openConsumer({ url, concurrency }, started) {
  const taskList = {
    bench: async (payload) => {
      started(payload);
    },
  };
  const worker = {
    connectionString: url,
    concurrentJobs: concurrency,
    maxPoolSize: 16,
    pollInterval: 2_000,
    localQueue: { size: concurrency * 2 },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  };
  const runner = await run({ preset: { worker }, taskList, logger, noHandleSignals: true });
  return { close: () => runner.stop() };
}
