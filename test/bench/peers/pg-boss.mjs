/**
 * pg-boss at its best settings: for throughput large batches that follow each other at once while they are full, for latency
 * LISTEN/NOTIFY with small ones. `insert` for batches. Finished jobs are kept, as they come.
 */
import { PgBoss } from 'pg-boss';

const QUIET = { supervise: false, schedule: false };

async function open({ url, queue, notify }) {
  const boss = new PgBoss({ connectionString: url, max: 16, useListenNotify: notify, ...QUIET });
  boss.on('error', (error) => process.stderr.write(`${error}\n`));
  await boss.start();
  await boss.createQueue(queue, { notify });
  return boss;
}

export async function openProducer(settings) {
  const boss = await open(settings);
  const { queue } = settings;
  return {
    submitOne: async (data) => void (await boss.send(queue, data)),
    submitMany: async (all) =>
      void (await boss.insert(
        queue,
        all.map((data) => ({ data })),
      )),
    close: () => boss.stop({ graceful: false }),
  };
}

export async function openConsumer(settings, started) {
  const boss = await open(settings);
  const { queue, notify, concurrency } = settings;
  const fetching = { batchSize: concurrency, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true };
  await boss.work(queue, notify ? { ...fetching, notifyPollingIntervalSeconds: 5 } : fetching, async (jobs) => {
    for (const { data } of jobs) started(data);
  });
  return { close: () => boss.stop({ graceful: true, timeout: 5_000 }) };
}
