/**
 * What a process knows of handlers without running them: enough to check a payload, and to say under which policy a task would run.
 * A process that runs them knows all of its own; one that does not can be told by the modules they come from.
 */
import type { HandlerDefinition } from './definition.js';

export type HandlerFacts = Pick<HandlerDefinition, 'name' | 'timeoutMs' | 'retry' | 'payloadSchema'>;

export abstract class KnownHandlers {
  /** Undefined where this process does not know the handler; another may run it all the same. */
  abstract find(name: string): HandlerFacts | undefined;
}

/** The facts that are JSON, without anything that a message between threads could not carry. */
export function factsOf({ name, timeoutMs, retry, payloadSchema }: HandlerDefinition): HandlerFacts {
  return {
    name,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(retry === undefined ? {} : { retry }),
    ...(payloadSchema === undefined ? {} : { payloadSchema }),
  };
}
