/**
 * Puts the guard before every route of the application that imports it. Needs `Config`, `Clock`, `Logger`, `Revocations` and what
 * lives with the process (`Loops`, `Conditions`, `Shutdown`) from global modules.
 */
import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Config } from '@app/config';
import { Clock } from '@app/lifecycle';
import { Logger } from '@app/telemetry';
import { keySetFetcher } from './fetch-key-set.js';
import { FollowKeySet } from './follow-key-set.js';
import { JwtGuard } from './jwt.guard.js';
import { JwtVerification } from './jwt-verification.js';
import { KeySet } from './key-set.js';
import { SigningKey } from './signing-key.js';
import { TokenKeys } from './token-keys.js';

@Module({
  providers: [
    {
      provide: TokenKeys,
      inject: [Config, Clock, Logger],
      useFactory: (config: Config, clock: Clock, logger: Logger): TokenKeys | Promise<TokenKeys> =>
        config.authJwksUrl === null
          ? SigningKey.resolve(config)
          : new KeySet(keySetFetcher(config.authJwksUrl, config, clock), clock, logger, {
              coolDownMs: config.authJwksCooldownMs,
              maxAgeMs: config.authJwksMaxAgeMs,
            }),
    },
    FollowKeySet,
    JwtVerification,
    { provide: APP_GUARD, useClass: JwtGuard },
  ],
  exports: [TokenKeys],
})
export class AuthModule {}
