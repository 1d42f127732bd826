/**
 * Puts the guard before every route of the application that imports it. Needs `Config`, `Clock`, `Logger`, `Revocations`, `KeyRows`,
 * `KeyUses` and what lives with the process (`Loops`, `Conditions`, `Shutdown`) from global modules.
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
import { KeyPepper } from './keys/key-pepper.js';
import { KeyRows } from './keys/key-rows.js';
import { KeySet } from './key-set.js';
import { KeyUses } from './keys/key-uses.js';
import { KeyVerification } from './keys/key-verification.js';
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
    { provide: KeyPepper, inject: [Config, TokenKeys], useFactory: (config: Config, keys: TokenKeys) => KeyPepper.resolve(config, keys) },
    {
      provide: KeyVerification,
      inject: [KeyPepper, KeyRows, KeyUses],
      useFactory: (pepper: KeyPepper, rows: KeyRows, uses: KeyUses) => new KeyVerification(pepper, rows, uses),
    },
    { provide: APP_GUARD, useClass: JwtGuard },
  ],
  exports: [TokenKeys, KeyPepper],
})
export class AuthModule {}
