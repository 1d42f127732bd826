/** Refuses a name that nobody runs, where that can be known: in a process that is the whole system and has every handler. */
import { InvalidRequest } from '@app/errors';

/** Null where other processes may run what this one does not know. */
export type Runnable = { has(name: string): boolean } | null;

/** The refusal, or null where the name may run. */
export function refusalOfName(runnable: Runnable, { name }: { readonly name: string }): InvalidRequest | null {
  if (runnable?.has(name) !== false) return null;
  const message = 'No handler of this name is registered.';
  return new InvalidRequest('unknown-handler', message, [{ pointer: '/name', code: 'unknown-handler', message }]);
}
