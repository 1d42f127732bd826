/** What every role shares: configuration, log, clock, database, doorbell and the task store, each made once. */
import { Global, Module, type DynamicModule } from '@nestjs/common';
import { AuditModule } from '@app/audit';
import { Config } from '@app/config';
import { DatabaseModule } from '@app/database';
import { LifecycleModule } from '@app/lifecycle';
import { LimitsModule } from '@app/limits';
import { QueueModule } from '@app/queue';
import { TasksModule } from '@app/tasks';
import { Logger } from '@app/telemetry';
import { ENTITIES } from './entities.js';
import { HealthModule } from './health/health.module.js';

@Global()
@Module({})
export class ProcessModule {
  static forRoot(config: Config, logger: Logger): DynamicModule {
    return {
      module: ProcessModule,
      imports: [LifecycleModule, DatabaseModule.forRoot(ENTITIES), QueueModule, AuditModule, LimitsModule, TasksModule, HealthModule],
      providers: [
        { provide: Config, useValue: config },
        { provide: Logger, useValue: logger },
      ],
      exports: [Config, Logger],
    };
  }
}
