/**
 * Gathers the handlers of a process from their three sources: definitions handed in, modules of a folder, and providers
 * marked with `@TaskHandler`. The first two are registered while the module is made, the third when every provider has its
 * instance; so the registry is complete from `onApplicationBootstrap` on, and a name taken twice, a fallback that leads nowhere, or a
 * schema that cannot be used ends the boot.
 */
import { Inject, Injectable, Module, type DynamicModule, type OnModuleInit } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService } from '@nestjs/core';
import { HandlerRegistry, InvalidHandler, loadHandlersFrom, type HandlerDefinition } from '@app/handlers';
import { InvalidSchema, PayloadSchema } from '@app/payloads';
import { discoverHandlers } from './discover-handlers.js';

export interface HandlersOptions {
  /** Handlers that belong to the program. */
  definitions: readonly HandlerDefinition[];
  /** A folder of modules with more handlers, or null. */
  directory: string | null;
  /** How long loading one of them may take, in ms. */
  deadlineMs: number;
}

@Injectable()
class HandlerDiscovery implements OnModuleInit {
  constructor(
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
    @Inject(HandlerRegistry) private readonly registry: HandlerRegistry,
  ) {}

  onModuleInit(): void {
    for (const { definition, origin } of discoverHandlers(this.discovery)) this.registry.register(definition, origin);
    this.registry.complete();
    for (const name of this.registry.names()) compileSchema(this.registry, name);
  }
}

@Module({})
export class HandlersModule {
  /** Exports `HandlerRegistry` to the whole application. */
  static forRoot(options: HandlersOptions): DynamicModule {
    return {
      module: HandlersModule,
      global: true,
      imports: [DiscoveryModule],
      providers: [{ provide: HandlerRegistry, useFactory: () => fillRegistry(options) }, HandlerDiscovery],
      exports: [HandlerRegistry],
    };
  }
}

/** So that a schema that cannot be used ends the boot, and no task pays for the first look at it. */
function compileSchema(registry: HandlerRegistry, name: string): void {
  const schema = registry.get(name)?.payloadSchema;
  try {
    if (schema !== undefined) PayloadSchema.of(schema);
  } catch (error) {
    throw error instanceof InvalidSchema ? new InvalidHandler(`"${name}"`, error.problems) : error;
  }
}

async function fillRegistry({ definitions, directory, deadlineMs }: HandlersOptions): Promise<HandlerRegistry> {
  const registry = new HandlerRegistry();
  for (const definition of definitions) registry.register(definition, 'the program itself');
  const loaded = directory === null ? [] : await loadHandlersFrom(directory, deadlineMs);
  for (const { definition, origin, module } of loaded) registry.register(definition, origin, module);
  return registry;
}
