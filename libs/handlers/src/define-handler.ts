/** For handlers written in TypeScript; a plain object does as well. */
import { checkDefinition } from './check-definition.js';
import type { HandlerDefinition } from './definition.js';

/**
 * Checks a definition where it is written, and gives types to its payload and result.
 * @throws InvalidHandler where the definition cannot be used, naming everything that is wrong.
 */
export function defineHandler<P = unknown, R = unknown>(definition: HandlerDefinition<P, R>): HandlerDefinition<P, R> {
  checkDefinition(definition, 'defineHandler');
  return definition;
}
