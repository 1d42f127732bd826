/**
 * Reads query strings strictly: a parameter the route does not know, or one given twice, is refused, because ignoring a
 * misspelt filter would show a client the wrong tasks. It stands before every route, so one without parameters refuses all. It is a guard,
 * behind the one that decides who may call: interceptors would cost every request the making of a dozen observables.
 */
import { createParamDecorator, Injectable, SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { MalformedRequest } from '@app/errors';

const PARAMETERS = 'api:parameters';
const SHOWN_LENGTH = 64;
const NO_PARAMETERS: ReadonlyMap<string, string> = new Map();
const values = new WeakMap<Request, ReadonlyMap<string, string>>();

/** Names the query parameters of a route. */
export const ReadsQuery = (...names: string[]): MethodDecorator => SetMetadata(PARAMETERS, names);

/** Injects the parameters that were given, as a map of texts. */
export const Query = createParamDecorator(
  (_: unknown, context: ExecutionContext): ReadonlyMap<string, string> =>
    values.get(context.switchToHttp().getRequest<Request>()) ?? NO_PARAMETERS,
);

@Injectable()
export class QueryReader implements CanActivate {
  /** @throws MalformedRequest `unknown-parameter`, `invalid-query` */
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Request>();
    const names = (Reflect.getMetadata(PARAMETERS, context.getHandler()) as string[] | undefined) ?? [];
    const parameters = readQuery(request.originalUrl, names);
    if (parameters !== NO_PARAMETERS) values.set(request, parameters);
    return true;
  }
}

/** @throws MalformedRequest `unknown-parameter`, `invalid-query` */
export function readQuery(url: string, names: readonly string[]): ReadonlyMap<string, string> {
  const start = url.indexOf('?');
  if (start === -1) return NO_PARAMETERS;
  const text = url.slice(start + 1);
  assertDecodable(text);
  const found = new Map<string, string>();
  const parameters = new URLSearchParams(text);
  for (const [name, value] of parameters) {
    const pointer = name.slice(0, SHOWN_LENGTH);
    if (!names.includes(name)) {
      const known = names.length === 0 ? 'This call takes none.' : `This call knows: ${names.join(', ')}.`;
      throw new MalformedRequest('unknown-parameter', `Unknown query parameter. ${known}`, {
        fields: [{ pointer, code: 'unknown-parameter', message: 'unknown' }],
      });
    }
    if (found.has(name)) {
      throw invalidQuery(pointer, 'is given more than once');
    }
    found.set(name, value);
  }
  return found;
}

/** The parser of queries repairs in silence what is not UTF-8, or not encoded as it should be. */
function assertDecodable(query: string): void {
  try {
    decodeURIComponent(query);
  } catch {
    throw new MalformedRequest('invalid-query', 'The query is not percent-encoded UTF-8.');
  }
}

/** A parameter with a value that does not do. */
export function invalidQuery(name: string, message: string): MalformedRequest {
  return new MalformedRequest('invalid-query', `The query parameter "${name}" ${message}.`, {
    fields: [{ pointer: name, code: 'invalid-query', message }],
  });
}
