/** Marks a Nest provider as a handler: `@TaskHandler('report.render') class RenderReport { run(payload, context) {…} }`. */
import 'reflect-metadata';
import type { HandlerDefinition, TaskContext } from './definition.js';

export type TaskHandlerOptions = Pick<HandlerDefinition, 'name' | 'timeoutMs' | 'retry' | 'payloadSchema' | 'fallback'>;

const OPTIONS = Symbol('task-handler');

type HandlerClass = abstract new (...dependencies: never[]) => { run(payload: never, context: TaskContext): unknown };

/** The class must be a provider of a Nest module, in the default scope; its options are checked at boot. */
export function TaskHandler(nameOrOptions: string | TaskHandlerOptions): (target: HandlerClass) => void {
  const options = typeof nameOrOptions === 'string' ? { name: nameOrOptions } : { ...nameOrOptions };
  return (target) => Reflect.defineMetadata(OPTIONS, Object.freeze(options), target);
}

/** The options a class was marked with; undefined where it was not. */
export function taskHandlerOptions(target: unknown): TaskHandlerOptions | undefined {
  return typeof target === 'function' ? (Reflect.getMetadata(OPTIONS, target) as TaskHandlerOptions | undefined) : undefined;
}
