/** Bee-Queue at its best setting: nobody listens for events, finished jobs are removed, saveAll for batches. */
import BeeQueue from 'bee-queue';

const LEAN = { getEvents: false, sendEvents: false, storeJobs: false, activateDelayedJobs: false, removeOnSuccess: true };

export async function openProducer({ url, queue }) {
  const jobs = new BeeQueue(queue, { ...LEAN, redis: url, isWorker: false });
  await jobs.ready();
  return {
    submitOne: async (data) => void (await jobs.createJob(data).save()),
    async submitMany(all) {
      const errors = await jobs.saveAll(all.map((data) => jobs.createJob(data)));
      for (const error of errors.values()) throw error;
    },
    close: () => jobs.close(),
  };
}

export async function openConsumer({ url, queue, concurrency }, started) {
  const jobs = new BeeQueue(queue, { ...LEAN, redis: url });
  jobs.on('error', (error) => process.stderr.write(`${error}\n`));
  await jobs.ready();
  jobs.process(concurrency, async ({ data }) => {
    started(data);
    return data;
  });
  return { close: () => jobs.close() };
}
