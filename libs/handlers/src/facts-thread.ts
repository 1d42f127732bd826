/** The thread of `readFacts`: loads the modules of a folder, tells what they say of their handlers, and ends with whatever they started. */
import { parentPort, workerData } from 'node:worker_threads';
import { describeFailure } from './describe-failure.js';
import { factsOf } from './known-handlers.js';
import { loadHandlersFrom } from './load-handlers.js';
import type { FactsMessage, FactsOrder } from './read-facts.js';

async function read(): Promise<FactsMessage> {
  try {
    const { directory, deadlineMs } = workerData as FactsOrder;
    const loaded = await loadHandlersFrom(directory, deadlineMs);
    return { facts: JSON.stringify(loaded.map(({ definition }) => factsOf(definition))) };
  } catch (error) {
    return { problem: describeFailure(error).message };
  }
}

parentPort?.postMessage(await read());
