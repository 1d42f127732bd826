/**
 * Puts the guard before every route of the application that imports it. Needs `Config` and `Clock` from global modules.
 */
import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Config } from '@app/config';
import { JwtGuard } from './jwt.guard.js';
import { JwtVerification } from './jwt-verification.js';
import { SigningKey } from './signing-key.js';

@Module({
  providers: [
    { provide: SigningKey, inject: [Config], useFactory: (config: Config) => SigningKey.resolve(config) },
    JwtVerification,
    { provide: APP_GUARD, useClass: JwtGuard },
  ],
  exports: [SigningKey],
})
export class AuthModule {}
