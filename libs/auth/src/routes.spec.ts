import 'reflect-metadata';
import { Controller, Get, Module, Post, Version, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { describe, expect, it } from '@jest/globals';
import { Public, Scopes } from './access.js';
import { assertEveryRouteIsGuarded, routesOf } from './routes.js';

@Controller('things')
class MarkedController {
  @Get()
  @Scopes('tasks:read', 'admin')
  list(): void {}

  @Post(':id/open')
  @Public()
  open(): void {}
}

@Public()
@Controller()
class PublicController {
  @Get(['a', 'b'])
  get(): void {}
}

@Controller('forgotten')
class ForgottenController {
  @Get('one')
  @Version('1')
  one(): void {}
}

async function withRoutes<T>(controllers: Type[], use: (app: Awaited<ReturnType<typeof NestFactory.create>>) => T): Promise<T> {
  class RoutesModule {}
  Module({ controllers })(RoutesModule);
  const app = await NestFactory.create(RoutesModule, { logger: false });
  try {
    return use(app);
  } finally {
    await app.close();
  }
}

describe('routes', () => {
  it('are found with what they declare, on the method or the class', async () => {
    const routes = await withRoutes([MarkedController, PublicController], routesOf);
    expect(routes.map(({ method, path, access }) => [method, path, access])).toEqual([
      ['GET', '/things', ['tasks:read', 'admin']],
      ['POST', '/things/:id/open', 'public'],
      ['GET', '/a', 'public'],
      ['GET', '/b', 'public'],
    ]);
  });

  it('end the boot where one declares nothing', async () => {
    await withRoutes([MarkedController, PublicController], assertEveryRouteIsGuarded);
    await expect(withRoutes([MarkedController, ForgottenController], assertEveryRouteIsGuarded)).rejects.toThrow(
      'GET /forgotten/one (ForgottenController.one)',
    );
  });
});
