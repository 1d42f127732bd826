/**
 * Which handler runs which name. It is filled while the process boots and only read afterwards. Each handler is copied and
 * frozen at registration, so that a module cannot change a policy that was checked.
 */
import { DuplicateHandler, InvalidHandler } from './boot-errors.js';
import { checkDefinition } from './check-definition.js';
import type { HandlerDefinition } from './definition.js';

/** A definition and where it comes from, in words for the operator and without a path. */
export interface FoundHandler {
  readonly definition: unknown;
  readonly origin: string;
  /** URL of the module whose default export holds it; absent where it comes from no module of its own. */
  readonly module?: string;
}

/** How many handlers may follow one another as fallbacks. */
const FALLBACKS_MAX = 5;

export class HandlerRegistry {
  private readonly handlers = new Map<string, FoundHandler & { readonly definition: HandlerDefinition }>();
  /** Of every name, once the registry is complete: each task that runs asks for its own. */
  private readonly chains = new Map<string, readonly HandlerDefinition[]>();

  /**
   * @param module see `FoundHandler`; an isolated handler needs one, because its thread or process has to load it anew.
   * @throws InvalidHandler where the definition cannot be used.
   * @throws DuplicateHandler where the name is taken; the first handler stays.
   */
  register(definition: unknown, origin: string, module?: string): void {
    checkDefinition(definition, origin);
    if (definition.isolation !== undefined && module === undefined) {
      const problem =
        '"isolation" is for handlers that come from a module of HANDLERS_DIR, because a thread or process of its own has to load it';
      throw new InvalidHandler(`${origin} ("${definition.name}")`, [problem]);
    }
    const present = this.handlers.get(definition.name);
    if (present !== undefined) throw new DuplicateHandler(definition.name, present.origin, origin);
    this.handlers.set(definition.name, { definition: frozenCopy(definition), origin, ...(module === undefined ? {} : { module }) });
  }

  /**
   * To be called when everything is registered: follows every chain of fallbacks to its end.
   * @throws InvalidHandler where a fallback is unknown, a chain returns to a handler that failed already, or is too long.
   */
  complete(): void {
    for (const [name, { definition, origin }] of this.handlers) {
      const { fallback } = definition;
      const problem = fallback !== undefined && !this.has(fallback) ? `no handler is named "${fallback}"` : chainProblem(this.chain(name));
      if (problem !== null) throw new InvalidHandler(`${origin} ("${name}")`, [`"fallback": ${problem}`]);
    }
    for (const name of this.handlers.keys()) this.chains.set(name, this.chain(name));
  }

  /**
   * The handler of a task whose first `fallbacks` handlers have failed for good: the named one, or one that stands in for it.
   * Undefined where this process lacks it.
   */
  standIn(name: string, fallbacks: number): HandlerDefinition | undefined {
    return (this.chains.get(name) ?? this.chain(name))[fallbacks];
  }

  /** The handler of the name and its fallbacks in turn; empty where there is none, and cut off where a chain does not end. */
  private chain(name: string): HandlerDefinition[] {
    const chain: HandlerDefinition[] = [];
    for (let next: string | undefined = name; next !== undefined && chain.length <= FALLBACKS_MAX + 1; next = chain.at(-1)?.fallback) {
      const handler = this.get(next);
      if (handler === undefined) break;
      chain.push(handler);
    }
    return chain;
  }

  get(name: string): HandlerDefinition | undefined {
    return this.handlers.get(name)?.definition;
  }

  /** URL of the module that a handler comes from; undefined where it comes from none. */
  moduleOf(name: string): string | undefined {
    return this.handlers.get(name)?.module;
  }

  has(name: string): boolean {
    return this.handlers.has(name);
  }

  /** All names, sorted. */
  names(): readonly string[] {
    return [...this.handlers.keys()].sort();
  }

  /**
   * What this process can run, sorted: each name, and for each fallback the way to it, as in `mail.send>mail.queue`. So others
   * can tell whether a task that has fallen back finds its handler here.
   */
  ways(): readonly string[] {
    const ways = this.names().flatMap((name) => this.chain(name).map((_, index, chain) => chain.slice(0, index + 1)));
    return ways.map((chain) => chain.map((handler) => handler.name).join('>')).sort();
  }
}

function frozenCopy(definition: HandlerDefinition): HandlerDefinition {
  const { name, timeoutMs, retry, isolation, memoryMb, payloadSchema, fallback } = definition;
  return Object.freeze({
    name,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(retry === undefined ? {} : { retry: Object.freeze({ ...retry }) }),
    ...(isolation === undefined ? {} : { isolation }),
    ...(memoryMb === undefined ? {} : { memoryMb }),
    ...(payloadSchema === undefined ? {} : { payloadSchema: Object.freeze({ ...payloadSchema }) }),
    ...(fallback === undefined ? {} : { fallback }),
    ...(definition.onAbandon === undefined ? {} : { onAbandon: definition.onAbandon.bind(definition) }),
    run: definition.run.bind(definition),
  });
}

/** What is wrong with a chain, or null. */
function chainProblem(chain: readonly HandlerDefinition[]): string | null {
  const names = chain.map(({ name }) => name);
  const shown = names.slice(0, FALLBACKS_MAX + 2).join(', ');
  if (new Set(names).size < names.length) return `the chain ${shown} goes round in a circle`;
  return names.length > FALLBACKS_MAX + 1 ? `the chain ${shown} is longer than ${FALLBACKS_MAX} fallbacks` : null;
}
