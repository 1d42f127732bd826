/**
 * The only table from role to modules. Imports are lazy, so that a scheduler does not load the api's controllers, and nothing
 * else in the code base asks which role it runs in.
 */
import type { DynamicModule, Type } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Config, Role } from '@app/config';

/** What a role adds to the process: modules, and what must surround its routes. */
interface Part {
  modules: (Type | DynamicModule)[];
  configure?: (app: NestExpressApplication) => void;
}

const api = async (): Promise<Part> => {
  const { API_STORES, ApiModule } = await import('./api/api.module.js');
  const { configureApi } = await import('./api/configure-api.js');
  return { modules: [...API_STORES, ApiModule], configure: configureApi };
};

const scheduler = async (): Promise<Part> => ({ modules: [(await import('./scheduler/scheduler.module.js')).SchedulerModule] });

const worker = async (config: Config): Promise<Part> => ({
  modules: [(await import('./worker/worker.module.js')).WorkerModule.for(config)],
});

/** What the api may know of handlers: those of this process, or, without a worker, what is written of them. */
const ownHandlers = async (): Promise<Part> => ({
  modules: [(await import('./known-handlers.module.js')).KnownHandlersModule.ofRegistry()],
});
const readHandlers = async (config: Config): Promise<Part> => ({
  modules: [(await import('./known-handlers.module.js')).KnownHandlersModule.ofFolder(config)],
});

/** Everything in one process on one file: the registry is complete here, so a name that nobody runs is refused at the door. */
const embedded = async (config: Config): Promise<Part> => ({
  modules: config.embedded ? [(await import('./worker/runnable.module.js')).RunnableModule] : [],
});

const ROLES: Readonly<Record<Role, readonly ((config: Config) => Promise<Part>)[]>> = {
  api: [api, readHandlers],
  worker: [worker],
  scheduler: [scheduler],
  all: [api, ownHandlers, worker, scheduler, embedded],
};

export async function partsOf(config: Config): Promise<Part[]> {
  return Promise.all(ROLES[config.role].map((load) => load(config)));
}
