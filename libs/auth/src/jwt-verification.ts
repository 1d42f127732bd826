/**
 * Puts the strategy together from the keys, the configured rules and the injected clock. Each application registers it under
 * a name of its own, because passport's registry is shared by the whole process.
 */
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import passport from 'passport';
import { Config } from '@app/config';
import { Clock } from '@app/lifecycle';
import { claimRulesOf } from './claim-rules.js';
import { readClaims } from './token-claims.js';
import { TokenKeys } from './token-keys.js';
import { TokenStrategy } from './token-strategy.js';

let instances = 0;

@Injectable()
export class JwtVerification implements OnModuleDestroy {
  /** The name the strategy is registered under. */
  readonly strategyName = `task-runner-x-jwt-${(instances += 1)}`;

  constructor(@Inject(TokenKeys) keys: TokenKeys, @Inject(Config) config: Config, @Inject(Clock) clock: Clock) {
    const rules = claimRulesOf(config);
    passport.use(this.strategyName, new TokenStrategy({ keys, rules, readClaims: (claims) => readClaims(claims, rules, clock.now()) }));
  }

  onModuleDestroy(): void {
    passport.unuse(this.strategyName);
  }
}
