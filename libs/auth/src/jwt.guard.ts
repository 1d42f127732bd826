/**
 * Decides on every call of every route: public, or a valid token or API key with the route's scopes. A route that declares neither is
 * refused, so forgetting the decorator closes a door and never opens one. Reasons for a refused token go to the log only.
 */
import { Inject, Injectable, type ExecutionContext } from '@nestjs/common';
import { AuthGuard } from '@nestjs/passport';
import type { Request, Response } from 'express';
import { TaskRunnerError } from '@app/errors';
import { Clock } from '@app/lifecycle';
import { AttemptLimits, RateLimiter } from '@app/limits';
import { accessOf } from './access.js';
import { admit, attempt } from './admission.js';
import { InsufficientScope, InvalidToken, Unauthenticated } from './auth-errors.js';
import { bearerCredential } from './bearer-credential.js';
import { JwtVerification } from './jwt-verification.js';
import { looksLikeKey, readKey } from './keys/key-text.js';
import { KeyVerification } from './keys/key-verification.js';
import type { Principal } from './principal.js';
import { Revocations } from './revocations.js';
import type { Scope } from './scopes.js';
import type { VerifiedToken } from './token-claims.js';
import { TokenKeys } from './token-keys.js';
import { VerifiedTokens } from './verified-tokens.js';

@Injectable()
export class JwtGuard extends AuthGuard() {
  private readonly verified: VerifiedTokens;

  constructor(
    @Inject(JwtVerification) verification: JwtVerification,
    @Inject(KeyVerification) private readonly keys: KeyVerification,
    @Inject(TokenKeys) tokenKeys: TokenKeys,
    @Inject(Revocations) private readonly revocations: Revocations,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(AttemptLimits) private readonly attempts: AttemptLimits,
    @Inject(RateLimiter) private readonly limiter: RateLimiter,
  ) {
    super({ defaultStrategy: verification.strategyName });
    this.verified = new VerifiedTokens(tokenKeys);
  }

  /** @throws Unauthenticated, InvalidToken, TokenExpired, InsufficientScope, RateLimited; Unavailable where a credential cannot be looked up */
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    const access = accessOf(context.getHandler(), context.getClass());
    if (access === 'public') {
      return true;
    }
    const request = context.switchToHttp().getRequest<Request>();
    const principal = await this.authenticate(context, request);
    request.user = principal;
    const required = access ?? ['admin'];
    // What an operator does is not charged: it may be what the limits are mended with.
    if (required.includes('admin')) {
      requireScopes(principal, required);
    } else {
      await admit(this.limiter, principal, context.switchToHttp().getResponse<Response>());
      requireScopes(principal, required);
    }
    if (access === undefined) {
      throw new TaskRunnerError('internal', 'internal', 'This route is closed because it does not say who may call it.');
    }
    return true;
  }

  /** Called by the base class with what the strategy found. */
  override handleRequest<T>(error: unknown, verified: T | false, info: unknown): T {
    if (error instanceof Error) {
      throw error;
    }
    if (!verified) {
      throw new InvalidToken(info instanceof Error ? info.message : 'not verified');
    }
    return verified;
  }

  private async authenticate(context: ExecutionContext, request: Request): Promise<Principal> {
    const token = bearerCredential(request.headers.authorization);
    if (token === null) {
      throw new Unauthenticated();
    }
    if (looksLikeKey(token)) {
      const key = readKey(token);
      return attempt(this.attempts, request, { credential: token, isCostly: !this.keys.remembers(key) }, () => this.keys.verify(key));
    }
    const known = this.verified.find(token, this.clock.now());
    const verified =
      known ?? (await attempt(this.attempts, request, { credential: token, isCostly: false }, () => this.verify(context, request, token)));
    await this.revocations.assertStanding(verified);
    return verified.principal;
  }

  private async verify(context: ExecutionContext, request: Request, token: string): Promise<VerifiedToken> {
    await super.canActivate(context);
    const verified = request.user as unknown as VerifiedToken;
    this.verified.remember(token, verified);
    return verified;
  }
}

/** @throws InsufficientScope unless the caller has all of them. */
export function requireScopes(principal: Principal, required: readonly Scope[]): void {
  if (!required.every((scope) => principal.scopes.has(scope))) {
    throw new InsufficientScope(required);
  }
}
