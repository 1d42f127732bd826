/**
 * Which request or attempt the running code belongs to. It travels with asynchronous calls by itself, so that every line
 * they log carries the same ids without anybody passing them along.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

export interface RequestContext {
  readonly requestId?: string;
  readonly taskId?: string;
  readonly attempt?: number;
  readonly tenant?: string;
  /** The name of the handler that runs. */
  readonly handler?: string;
}

const storage = new AsyncLocalStorage<RequestContext>();

/** Runs `fn` with these ids, added to those that already apply. Returns what `fn` returns. */
export function runWithContext<T>(context: RequestContext, fn: () => T): T {
  return storage.run(Object.freeze({ ...storage.getStore(), ...context }), fn);
}

/** The ids that apply here; undefined outside of any request or attempt. */
export function currentContext(): RequestContext | undefined {
  return storage.getStore();
}
