/**
 * The REST front: controllers, the guard before them and the filter behind them. It knows the tasks only by the ports of
 * `@app/tasks`; whoever builds the application provides those, `Config`, `Clock` and `Logger` from global modules.
 */
import { Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { AuthModule } from '@app/auth';
import { AuditController } from './audit/audit.controller.js';
import { BulkController } from './bulk/bulk.controller.js';
import { DeadLettersController } from './dead-letters/dead-letters.controller.js';
import { AllowedMethods } from './problem/allowed-methods.js';
import { ProblemFilter } from './problem/problem.filter.js';
import { ProblemReporter } from './problem/problem-reporter.js';
import { QueuesController } from './queues/queues.controller.js';
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
];

@Module({
  imports: [AuthModule],
  controllers: API_CONTROLLERS,
  providers: [AllowedMethods, ProblemReporter, PayloadRules, Planner, { provide: APP_FILTER, useClass: ProblemFilter }],
})
export class ApiModule {}
