/**
 * Tells the api what is known of handlers. Where the process runs handlers, its own register knows; where it does not, the built-in
 * ones are the same everywhere, and those of the folder are read in a thread that ends before the first request.
 */
import { Global, Module, type DynamicModule, type Provider } from '@nestjs/common';
import type { Config } from '@app/config';
import { HandlerRegistry, InvalidHandler, KnownHandlers, readFacts, type HandlerFacts } from '@app/handlers';
import { InvalidSchema, PayloadSchema } from '@app/payloads';
import { builtinHandlers } from './worker/handlers/builtin-handlers.js';

@Global()
@Module({})
export class KnownHandlersModule {
  /** Beside a worker. */
  static ofRegistry(): DynamicModule {
    return exporting({
      provide: KnownHandlers,
      inject: [HandlerRegistry],
      useFactory: (registry: HandlerRegistry): KnownHandlers => ({ find: (name) => registry.get(name) }),
    });
  }

  /** Without one. Ends the boot where a module cannot be loaded or a schema cannot be used. */
  static ofFolder(config: Config): DynamicModule {
    return exporting({ provide: KnownHandlers, useFactory: () => readKnown(config) });
  }
}

function exporting(provider: Provider): DynamicModule {
  return { module: KnownHandlersModule, providers: [provider], exports: [KnownHandlers] };
}

async function readKnown(config: Config): Promise<KnownHandlers> {
  const { handlersDir: directory, handlersReadMs: deadlineMs, handlersReadMemoryMb: memoryMb } = config;
  const read = directory === null || !config.payloadSchemas ? [] : await readFacts(directory, { deadlineMs, memoryMb });
  const known = new Map<string, HandlerFacts>(builtinHandlers(config).map((definition) => [definition.name, definition]));
  for (const facts of read) known.set(facts.name, Object.freeze({ ...facts, ...frozenSchema(facts) }));
  return { find: (name) => known.get(name) };
}

function frozenSchema({ name, payloadSchema }: HandlerFacts): Pick<HandlerFacts, 'payloadSchema'> {
  if (payloadSchema === undefined) return {};
  const frozen = Object.freeze(payloadSchema);
  try {
    PayloadSchema.of(frozen);
  } catch (error) {
    throw error instanceof InvalidSchema ? new InvalidHandler(`HANDLERS_DIR ("${name}")`, error.problems) : error;
  }
  return { payloadSchema: frozen };
}
