/**
 * The REST front: controllers, the guard before them and the filter behind them. It knows the tasks only by the ports of
 * `@app/tasks`; whoever builds the application provides those, the limiters of `@app/limits`, and what every role has, from global modules.
 */
import { Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { AuthModule, KeysModule, RevocationsModule } from '@app/auth';
import { Config } from '@app/config';
import { Database } from '@app/database';
import { Clock, Loops, Shutdown } from '@app/lifecycle';
import { RatesModule } from '@app/limits';
import { Logger } from '@app/telemetry';
import { AuditController } from './audit/audit.controller.js';
import { BulkController } from './bulk/bulk.controller.js';
import { DeadLettersController } from './dead-letters/dead-letters.controller.js';
import { KeysController } from './keys/keys.controller.js';
import { LimitsController } from './limits/limits.controller.js';
import { Overload } from './overload/overload.js';
import { AllowedMethods } from './problem/allowed-methods.js';
import { ProblemFilter } from './problem/problem.filter.js';
import { ProblemReporter } from './problem/problem-reporter.js';
import { QueuesController } from './queues/queues.controller.js';
import { RevocationsController } from './revocations/revocations.controller.js';
import { BatchController } from './tasks/batch.controller.js';
import { PayloadRules } from './tasks/payload-rules.js';
import { Planner } from './tasks/planner.js';
import { SubmitController } from './tasks/submit.controller.js';
import { TasksController } from './tasks/tasks.controller.js';
import { TimelineController } from './tasks/timeline.controller.js';
import { WorkersController } from './workers/workers.controller.js';

/** Also what the OpenAPI document is printed from, without a database. */
export const API_CONTROLLERS = [
  BatchController,
  SubmitController,
  TasksController,
  TimelineController,
  DeadLettersController,
  BulkController,
  QueuesController,
  WorkersController,
  AuditController,
  KeysController,
  RevocationsController,
  LimitsController,
];

/** What the routes keep in the database besides the tasks: for a process that has one. */
export const API_STORES = [KeysModule, RevocationsModule, RatesModule];

@Module({
  imports: [AuthModule],
  controllers: API_CONTROLLERS,
  providers: [
    AllowedMethods,
    ProblemReporter,
    PayloadRules,
    Planner,
    { provide: APP_FILTER, useClass: ProblemFilter },
    {
      provide: Overload,
      inject: [Config, Database, Clock, Loops, Shutdown, Logger],
      useFactory: (config: Config, database: Database, clock: Clock, loops: Loops, shutdown: Shutdown, logger: Logger) =>
        new Overload({ config, database, clock, loops, shutdown, logger, random: Math.random }),
    },
  ],
})
export class ApiModule {}
