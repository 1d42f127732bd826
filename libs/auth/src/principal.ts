/** Who is calling, as a verified token or API key says, and the decorator that hands it to a route. */
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { Unauthenticated } from './auth-errors.js';
import type { Scope } from './scopes.js';

export interface Principal {
  /** The `sub` claim; `key:` and its id for an API key. */
  readonly subject: string;
  /** The `tenant` claim, or that of the key: every query is scoped by it. */
  readonly tenant: string;
  readonly scopes: ReadonlySet<Scope>;
  /** What was shown to prove it, for limits and for the audit log: `sub:` and the subject of a token, `key:` and the id of an API key. Never the credential itself. */
  readonly credential: string;
  /** The `jti` claim, by which this one token can be revoked; null where it has none. */
  readonly tokenId: string | null;
}

/** The principal the guard has put on the request. @throws Unauthenticated on a route that was not guarded. */
export function principalOf(request: Request): Principal {
  const user: unknown = request.user;
  if (user === undefined) {
    throw new Unauthenticated();
  }
  return user as Principal;
}

/** Injects the `Principal` of the call into a route's parameter. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): Principal =>
  principalOf(context.switchToHttp().getRequest<Request>()),
);
