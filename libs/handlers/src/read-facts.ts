/**
 * Reads what the modules of a folder say of their handlers, for a process that does not run them. The modules are somebody's code: they
 * are loaded in a thread with bounded time and memory, and what comes out is JSON text, so nothing of them stays behind in the process that
 * answers requests. They see a copy of its environment, as they do in a worker: many a module reads its settings when it is loaded.
 */
import { Worker } from 'node:worker_threads';
import { HandlersNotLoaded } from './boot-errors.js';
import type { HandlerFacts } from './known-handlers.js';

/** What the thread is started with. */
export interface FactsOrder {
  readonly directory: string;
  readonly deadlineMs: number;
}

export type FactsMessage = { facts: string } | { problem: string };

export interface FactsLimits {
  /** How long loading all modules may take, in ms. */
  readonly deadlineMs: number;
  /** How much memory it may take, in MiB. */
  readonly memoryMb: number;
}

/**
 * @param directory path of the folder; a relative one starts at the working directory.
 * @throws HandlersNotLoaded where a module cannot be loaded, or not within the limits.
 */
export async function readFacts(directory: string, { deadlineMs, memoryMb }: FactsLimits): Promise<readonly HandlerFacts[]> {
  const thread = new Worker(new URL('./facts-thread.js', import.meta.url), {
    workerData: { directory, deadlineMs } satisfies FactsOrder,
    execArgv: [],
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: memoryMb },
  });
  // What the modules print is nobody's to read here, and must not fill a buffer.
  thread.stdout.resume();
  thread.stderr.resume();
  let timer: NodeJS.Timeout | undefined;
  try {
    const message = await new Promise<FactsMessage>((resolve, reject) => {
      const fail = (what: string, cause?: unknown): void => {
        reject(
          new HandlersNotLoaded(`The modules of HANDLERS_DIR ${what}, so the api does not know what their payloads look like.`, cause),
        );
      };
      timer = setTimeout(fail, deadlineMs, `were not loaded within ${deadlineMs} ms`);
      thread.once('message', resolve);
      thread.once('error', (error) => {
        fail('could not be loaded', error);
      });
      thread.once('exit', () => {
        fail('ended the thread that loaded them');
      });
    });
    if ('problem' in message) throw new HandlersNotLoaded(message.problem);
    return JSON.parse(message.facts) as HandlerFacts[];
  } finally {
    clearTimeout(timer);
    await thread.terminate();
  }
}
