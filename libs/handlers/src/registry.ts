/**
 * Which handler runs which name. It is filled while the process boots and only read afterwards. Each handler is copied and
 * frozen at registration, so that a module cannot change a policy that was checked.
 */
import { DuplicateHandler } from './boot-errors.js';
import { checkDefinition } from './check-definition.js';
import type { HandlerDefinition } from './definition.js';

/** A definition and where it comes from, in words for the operator and without a path. */
export interface FoundHandler {
  readonly definition: unknown;
  readonly origin: string;
}

export class HandlerRegistry {
  private readonly handlers = new Map<string, { readonly definition: HandlerDefinition; readonly origin: string }>();

  /**
   * @throws InvalidHandler where the definition cannot be used.
   * @throws DuplicateHandler where the name is taken; the first handler stays.
   */
  register(definition: unknown, origin: string): void {
    checkDefinition(definition, origin);
    const present = this.handlers.get(definition.name);
    if (present !== undefined) throw new DuplicateHandler(definition.name, present.origin, origin);
    this.handlers.set(definition.name, { definition: frozenCopy(definition), origin });
  }

  get(name: string): HandlerDefinition | undefined {
    return this.handlers.get(name)?.definition;
  }

  has(name: string): boolean {
    return this.handlers.has(name);
  }

  /** All names, sorted. */
  names(): readonly string[] {
    return [...this.handlers.keys()].sort();
  }
}

function frozenCopy(definition: HandlerDefinition): HandlerDefinition {
  const { name, timeoutMs, retry } = definition;
  return Object.freeze({
    name,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(retry === undefined ? {} : { retry: Object.freeze({ ...retry }) }),
    run: definition.run.bind(definition),
  });
}
