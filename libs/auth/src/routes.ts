/**
 * Walks the routes of a built application. The check at boot, the OpenAPI document and the tests read the same list, so a
 * route that one of them knows is known to all.
 */
import { RequestMethod, type INestApplicationContext, type Type } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { MetadataScanner, ModulesContainer } from '@nestjs/core';
import { accessOf, type Access } from './access.js';

export interface Route {
  readonly controller: string;
  readonly handler: string;
  /** `GET`, `POST` … */
  readonly method: string;
  /** With a leading slash and `:name` for parameters; a global prefix is not included. */
  readonly path: string;
  readonly access: Access | undefined;
}

/** Every route of every controller, in the order of the modules. */
export function routesOf(app: INestApplicationContext): Route[] {
  return routesIn(app.get(ModulesContainer, { strict: false }));
}

/** The same for a provider, which can have the modules injected and not the application. */
export function routesIn(modules: ModulesContainer): Route[] {
  const controllers = [...modules.values()].flatMap((module) => [...module.controllers.values()]);
  return controllers.flatMap(({ metatype }) => (typeof metatype === 'function' ? routesOfController(metatype as Type) : []));
}

/**
 * Ends the boot where a route says neither which scopes it needs nor that it is public.
 * @throws Error naming the routes
 */
export function assertEveryRouteIsGuarded(app: INestApplicationContext): void {
  const forgotten = routesOf(app).filter((route) => route.access === undefined);
  if (forgotten.length > 0) {
    const names = forgotten.map((route) => `${route.method} ${route.path} (${route.controller}.${route.handler})`);
    throw new Error(`These routes have neither @Scopes() nor @Public(): ${names.join(', ')}`);
  }
}

function routesOfController(controller: Type): Route[] {
  const prototype = controller.prototype as Record<string, object>;
  return new MetadataScanner().getAllMethodNames(prototype).flatMap((name) => {
    const handler = prototype[name];
    const method: unknown = handler === undefined ? undefined : Reflect.getMetadata(METHOD_METADATA, handler);
    if (handler === undefined || typeof method !== 'number') {
      return [];
    }
    const access = accessOf(handler, controller);
    return pathsOf(controller).flatMap((prefix) =>
      pathsOf(handler).map((path) => ({
        controller: controller.name,
        handler: name,
        method: RequestMethod[method] ?? String(method),
        path: join(prefix, path),
        access,
      })),
    );
  });
}

function pathsOf(target: object): string[] {
  const paths: unknown = Reflect.getMetadata(PATH_METADATA, target);
  return [paths ?? ''].flat().map(String);
}

function join(...parts: string[]): string {
  return `/${parts
    .flatMap((part) => part.split('/'))
    .filter((part) => part !== '')
    .join('/')}`;
}
