/** The least that a Nest service can be: a body is parsed, and answered. */
import 'reflect-metadata';
import { Body, Controller, Module, Post } from '@nestjs/common';
import { listen } from './listen.js';

@Controller('api/tasks')
class Hello {
  @Post()
  create(@Body() body: { name: string }): { hello: string } {
    return { hello: body.name };
  }
}

@Module({ controllers: [Hello] })
class HelloModule {}

await listen(HelloModule);
