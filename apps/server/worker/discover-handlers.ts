/** Finds the providers that are marked with `@TaskHandler` among all that the application has. */
import type { DiscoveryService } from '@nestjs/core';
import {
  InvalidHandler,
  taskHandlerOptions,
  type AbandonContext,
  type AbandonedResource,
  type FoundHandler,
  type TaskContext,
} from '@app/handlers';

type Provider = ReturnType<DiscoveryService['getProviders']>[number];
type Runnable = Record<'run', (payload: unknown, context: TaskContext) => unknown> & {
  readonly onAbandon?: (resource: AbandonedResource, context: AbandonContext) => unknown;
};

/**
 * To be called when all providers have their instances, from `onModuleInit` on. A provider under several tokens counts once.
 * @throws InvalidHandler for a marked class that has no instance of its own to call.
 */
export function discoverHandlers(discovery: DiscoveryService): FoundHandler[] {
  const seen = new Set<object>();
  const found: FoundHandler[] = [];
  for (const provider of discovery.getProviders()) {
    const handler = handlerOf(provider);
    if (handler === undefined || seen.has(handler.instance)) continue;
    seen.add(handler.instance);
    found.push(handler);
  }
  return found;
}

function handlerOf(provider: Provider): (FoundHandler & { instance: object }) | undefined {
  const instance: unknown = provider.isDependencyTreeStatic() && !provider.isTransient ? provider.instance : undefined;
  const type: unknown = isObject(instance) ? instance.constructor : provider.metatype;
  const options = taskHandlerOptions(type);
  if (options === undefined) return undefined;
  const origin = `the provider ${String(provider.name)} of ${provider.host?.name ?? 'an unnamed module'}`;
  if (!isObject(instance)) throw new InvalidHandler(origin, ['it must be in the default scope, not request-scoped or transient']);
  if (!isRunnable(instance)) throw new InvalidHandler(origin, ['it must have a method run(payload, context)']);
  const run = (payload: unknown, context: TaskContext) => instance.run(payload, context);
  if (instance.onAbandon === undefined) return { definition: { ...options, run }, origin, instance };
  const onAbandon = (resource: AbandonedResource, context: AbandonContext) => instance.onAbandon?.(resource, context);
  return { definition: { ...options, run, onAbandon }, origin, instance };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function isRunnable(value: object): value is Runnable {
  return 'run' in value && typeof value.run === 'function';
}
