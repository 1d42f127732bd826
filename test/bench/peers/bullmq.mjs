/** BullMQ at its best setting: finished jobs are removed, addBulk for batches. */
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';

const REMOVED = { removeOnComplete: true, removeOnFail: true };

export async function openProducer({ url, queue }) {
  const connection = new Redis(url, { maxRetriesPerRequest: null });
  const jobs = new Queue(queue, { connection, defaultJobOptions: REMOVED });
  await jobs.waitUntilReady();
  return {
    submitOne: async (data) => void (await jobs.add('bench', data)),
    submitMany: async (all) => void (await jobs.addBulk(all.map((data) => ({ name: 'bench', data })))),
    async close() {
      await jobs.close();
      connection.disconnect();
    },
  };
}

export async function openConsumer({ url, queue, concurrency }, started) {
  const connection = new Redis(url, { maxRetriesPerRequest: null });
  const worker = new Worker(
    queue,
    async ({ data }) => {
      started(data);
      return data;
    },
    { connection, concurrency, ...REMOVED },
  );
  worker.on('error', (error) => process.stderr.write(`${error}\n`));
  await worker.waitUntilReady();
  return {
    async close() {
      await worker.close();
      connection.disconnect();
    },
  };
}
