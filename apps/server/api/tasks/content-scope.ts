/**
 * Who may see what is inside of tasks. Where the installation demands it, the content (payload, result, metadata, and the words of
 * handlers in errors and progress) is for callers with the scope `tasks:payload` only; everybody else sees that a task is
 * there and how it fares. Every function that shows a task asks for the sight of the caller, so no route can forget it.
 */
import type { Principal } from '@app/auth';
import type { Config } from '@app/config';

/** `whole`, or `outline`: without content. */
export type Sight = 'whole' | 'outline';

/** Stands where the words of a handler would. */
export const WITHHELD = 'Withheld: this needs the scope tasks:payload.';

export function sightOf({ authPayloadScope }: Pick<Config, 'authPayloadScope'>, { scopes }: Principal): Sight {
  return authPayloadScope === 'off' || scopes.has('tasks:payload') ? 'whole' : 'outline';
}
