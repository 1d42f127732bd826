import { Global, Module } from '@nestjs/common';
import { HandlerRegistry } from '@app/handlers';
import { RunnableNames } from '@app/tasks';

/** Lets the submitter ask the registry of this process, where it is the only one there is. */
@Global()
@Module({
  providers: [{ provide: RunnableNames, inject: [HandlerRegistry], useFactory: (registry: HandlerRegistry): RunnableNames => registry }],
  exports: [RunnableNames],
})
export class RunnableModule {}
