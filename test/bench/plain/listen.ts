/** Starts a plain service on any free port, and tells the bench which. */
import type { AddressInfo } from 'node:net';
import { ValidationPipe, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';

export async function listen(module: Type, validates = false): Promise<void> {
  const app = await NestFactory.create<NestExpressApplication>(module, { logger: ['error', 'warn'] });
  if (validates) app.useGlobalPipes(new ValidationPipe({ whitelist: true }));
  await app.listen(0, '127.0.0.1');
  process.on('disconnect', () => process.exit());
  process.send?.({ port: (app.getHttpServer().address() as AddressInfo).port });
}
