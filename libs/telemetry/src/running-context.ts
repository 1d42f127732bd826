/**
 * Lets another thread ask which request or attempt the main thread is running at this very moment, and where in its code it is. A
 * thread that computes without a pause answers no message; it can only be interrupted, and made to evaluate an expression, which
 * finds the context by a global name. Nothing else uses that name.
 */
import { currentContext } from './request-context.js';

const NAME = 'task-runner-x.running-context';

Object.defineProperty(globalThis, Symbol.for(NAME), { value: currentContext, configurable: true });

/** To be evaluated in the main thread; a JSON text `{ context: RequestContext | null, stack: string }`. */
export const RUNNING_CONTEXT = `JSON.stringify({ context: globalThis[Symbol.for('${NAME}')]?.() ?? null, stack: String(new Error().stack) })`;
