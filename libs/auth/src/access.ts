/**
 * Who may call a route, written beside the route. One metadata key is read by the guard, by the check at boot that no route
 * was forgotten, and by the OpenAPI document, so the three cannot disagree.
 */
import { SetMetadata } from '@nestjs/common';
import type { Scope } from './scopes.js';

const ACCESS = 'x-required-scope';

/** `public`: anybody. Otherwise all of the listed scopes are needed. */
export type Access = 'public' | readonly Scope[];

/** The caller needs a valid token with all of these scopes. */
export function Scopes(first: Scope, ...more: Scope[]): MethodDecorator & ClassDecorator {
  return SetMetadata<string, Access>(ACCESS, [first, ...more]);
}

/** Anybody may call this, without a token. */
export function Public(): MethodDecorator & ClassDecorator {
  return SetMetadata<string, Access>(ACCESS, 'public');
}

/** What the route or, failing that, its controller declares; `undefined` where neither does. */
export function accessOf(handler: object, controller: object): Access | undefined {
  const own: unknown = Reflect.getMetadata(ACCESS, handler) ?? Reflect.getMetadata(ACCESS, controller);
  return own as Access | undefined;
}
