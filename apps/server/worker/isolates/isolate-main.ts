/**
 * The program of an isolate: loads one module of handlers and runs attempts one at a time, until the worker ends it. In a process
 * of its own it first starts a watchdog, so that nothing it runs outlives the worker. It must stay quick to load: it imports no
 * framework, because every start of an isolate pays for that.
 */
import { once } from 'node:events';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { describeFailure, loadHandlerModule, type HandlerDefinition } from '@app/handlers';
import { AttemptRunner } from './attempt-runner.js';
import { EndMarks } from './end-mark.js';
import { openLine } from './line.js';
import type { IsolateStart } from './messages.js';

/** Lets the last message out. The worker ends this isolate as soon as it has read it. */
const LAST_WORDS_MS = 500;

const start = (isMainThread ? JSON.parse(process.argv[2] ?? 'null') : workerData) as IsolateStart;
const line = openLine();
const handlers = new Map<string, HandlerDefinition>();
const runner = new AttemptRunner(line, new EndMarks([process.stdout, process.stderr]), handlers, () => performance.now());

function crash(error: unknown): void {
  if (runner.crashed(error)) setTimeout(() => process.exit(1), isMainThread ? LAST_WORDS_MS : 0);
}

/** Ends this process and everything that it has started. */
function endGroup(): void {
  process.kill(-process.pid, 'SIGKILL');
}

async function watch(): Promise<void> {
  process.on('disconnect', endGroup);
  // Sent to the whole group shortly before the end, for the sake of what the handler has started; the handler has its signal.
  process.on('SIGTERM', () => undefined);
  const watchdog = new Worker(new URL('./watchdog.js', import.meta.url), { workerData: start, env: {}, execArgv: [] });
  watchdog.unref();
  watchdog.on('exit', endGroup);
  await once(watchdog, 'message');
}

process.on('uncaughtException', crash);
process.on('unhandledRejection', crash);
try {
  if (isMainThread) await watch();
  for (const { definition } of await loadHandlerModule(start.module)) handlers.set(definition.name, definition);
  line.onOrder((order) => {
    runner.take(order);
  });
  line.send({ type: 'ready' });
} catch (error) {
  line.send({ type: 'not-loaded', message: describeFailure(error).message });
}
