/**
 * Puts the guard before every route of the application that imports it. Needs `Config`, `Clock`, and `KeyRows` and `KeyUses` from
 * global modules.
 */
import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Config } from '@app/config';
import { JwtGuard } from './jwt.guard.js';
import { JwtVerification } from './jwt-verification.js';
import { KeyPepper } from './keys/key-pepper.js';
import { KeyRows } from './keys/key-rows.js';
import { KeyUses } from './keys/key-uses.js';
import { KeyVerification } from './keys/key-verification.js';
import { SigningKey } from './signing-key.js';

@Module({
  providers: [
    { provide: SigningKey, inject: [Config], useFactory: (config: Config) => SigningKey.resolve(config) },
    JwtVerification,
    { provide: KeyPepper, inject: [Config, SigningKey], useFactory: (config: Config, key: SigningKey) => KeyPepper.resolve(config, key) },
    {
      provide: KeyVerification,
      inject: [KeyPepper, KeyRows, KeyUses],
      useFactory: (pepper: KeyPepper, rows: KeyRows, uses: KeyUses) => new KeyVerification(pepper, rows, uses),
    },
    { provide: APP_GUARD, useClass: JwtGuard },
  ],
  exports: [SigningKey, KeyPepper],
})
export class AuthModule {}
