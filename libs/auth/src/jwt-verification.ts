/**
 * Puts the passport-jwt strategy together: key and algorithm are fixed here, issuer and audience where they are configured.
 * Times are compared in `readClaims` with the injected clock, so the library's own clock is switched off. Each application
 * registers under a name of its own, because passport's registry is shared by the whole process.
 */
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import passport from 'passport';
import passportJwt, { type VerifiedCallback } from 'passport-jwt';
import { Clock } from '@app/lifecycle';
import { SigningKey } from './signing-key.js';
import { readClaims } from './token-claims.js';

let instances = 0;

@Injectable()
export class JwtVerification implements OnModuleDestroy {
  /** The name the strategy is registered under. */
  readonly strategyName = `task-runner-x-jwt-${(instances += 1)}`;

  constructor(@Inject(SigningKey) key: SigningKey, @Inject(Clock) clock: Clock) {
    const options = {
      jwtFromRequest: passportJwt.ExtractJwt.fromAuthHeaderAsBearerToken(),
      // The typings know strings and buffers only; the library itself takes key objects.
      secretOrKey: key.verificationKey as unknown as Buffer,
      algorithms: [key.algorithm],
      ignoreExpiration: true,
      jsonWebTokenOptions: { ignoreNotBefore: true },
      ...(key.issuer === null ? {} : { issuer: key.issuer }),
      ...(key.audience === null ? {} : { audience: key.audience }),
    };
    const verify = (claims: Readonly<Record<string, unknown>>, done: VerifiedCallback): void => {
      try {
        done(null, readClaims(claims, clock.now()));
      } catch (error) {
        done(error, false);
      }
    };
    passport.use(this.strategyName, new passportJwt.Strategy(options, verify));
  }

  onModuleDestroy(): void {
    passport.unuse(this.strategyName);
  }
}
