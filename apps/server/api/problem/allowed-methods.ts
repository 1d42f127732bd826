/** Tells an address that exists for other methods (405) from one that does not exist (404). */
import { Inject, Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { routesIn } from '@app/auth';

@Injectable()
export class AllowedMethods {
  private table: { pattern: RegExp; method: string }[] | undefined;

  constructor(@Inject(ModulesContainer) private readonly modules: ModulesContainer) {}

  /** The methods routes with this path take; empty where there is none. */
  of(path: string): string[] {
    this.table ??= routesIn(this.modules).map((route) => ({ pattern: patternOf(route.path), method: route.method }));
    const methods = this.table.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
    return [...new Set(methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))];
  }
}

function patternOf(path: string): RegExp {
  const escaped = path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/:[A-Za-z]+/g, '[^/]+');
  return new RegExp(`^${escaped}/?$`, 'i');
}
