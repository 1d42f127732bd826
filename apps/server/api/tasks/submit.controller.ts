/** Takes tasks in, one by one. A 2xx goes out only after the task is committed. */
import { Body, Controller, Headers, Inject, Post, Req, Res, UseGuards } from '@nestjs/common';
import { ApiBody, ApiExtraModels, ApiHeader, ApiOperation, ApiQuery, ApiResponse, ApiTags, getSchemaPath } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Caller, Scopes, type Principal } from '@app/auth';
import { Config } from '@app/config';
import { TaskReader, TaskSubmitter, TaskWaiter, type TaskView } from '@app/tasks';
import { BodyReader, ReadsBody } from '../request/body-reader.js';
import { Query, QueryReader, ReadsQuery } from '../request/query-reader.js';
import { sightOf } from './content-scope.js';
import { KEY_HEADER, readIdempotencyKey } from './idempotency.js';
import { NewTaskBody } from './new-task.body.js';
import { readWait } from './prefer.js';
import { PayloadRules } from './payload-rules.js';
import { TaskPlanResponse } from './plan.response.js';
import { DRY_RUN, Planner, readDryRun } from './planner.js';
import { readNewTask } from './read-new-task.js';
import { showTask } from './show-task.js';
import { TaskResponse } from './task.response.js';

@ApiTags('tasks')
@Controller('api/tasks')
@UseGuards(QueryReader, BodyReader)
export class SubmitController {
  constructor(
    @Inject(TaskSubmitter) private readonly submitter: TaskSubmitter,
    @Inject(TaskWaiter) private readonly waiter: TaskWaiter,
    @Inject(TaskReader) private readonly reader: TaskReader,
    @Inject(PayloadRules) private readonly payloads: PayloadRules,
    @Inject(Config) private readonly config: Config,
    @Inject(Planner) private readonly planner: Planner,
  ) {}

  @Post()
  @Scopes('tasks:write')
  @ReadsBody('task')
  @ReadsQuery('dryRun')
  @ApiOperation({ summary: 'Submit a task' })
  @ApiBody({ type: NewTaskBody })
  @ApiHeader({
    ...KEY_HEADER,
    description: 'Makes repeating safe: the same key and body answer with the first task.',
  })
  @ApiHeader({
    name: 'Prefer',
    required: false,
    description: '`wait=N` waits up to N seconds (at most 60) for the outcome.',
    example: 'wait=10',
  })
  @ApiQuery(DRY_RUN)
  @ApiExtraModels(TaskResponse, TaskPlanResponse)
  @ApiResponse({ status: 201, type: TaskResponse, description: 'Stored. `Location` is its address.' })
  @ApiResponse({
    status: 200,
    description: 'Replayed (`Idempotency-Replayed: true`), or finished within the wait; with `dryRun=true` what it would become.',
    schema: { anyOf: [{ $ref: getSchemaPath(TaskResponse) }, { $ref: getSchemaPath(TaskPlanResponse) }] },
  })
  @ApiResponse({ status: 202, type: TaskResponse, description: 'Stored, and not finished within the wait.' })
  @ApiResponse({ status: 409, description: 'A request with this Idempotency-Key is still in flight.' })
  async submit(
    @Body() body: unknown,
    @Headers('prefer') prefer: string | undefined,
    @Query() parameters: ReadonlyMap<string, string>,
    @Caller() caller: Principal,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<TaskResponse | TaskPlanResponse> {
    const waitMs = readWait(prefer);
    const dryRun = readDryRun(parameters);
    const task = readNewTask(body, readIdempotencyKey(request), caller, this.payloads);
    if (dryRun) {
      response.status(200);
      return this.planner.plan(caller.tenant, task);
    }
    const sight = sightOf(this.config, caller);
    const { task: stored, replayed } = await this.submitter.submit(task);
    response.setHeader('Location', `/api/tasks/${stored.id}`);
    if (replayed) {
      response.setHeader('Idempotency-Replayed', 'true');
    }
    if (waitMs === null) {
      response.status(replayed ? 200 : 201);
      return showTask(stored, sight);
    }
    const finished = await this.outcome(stored, waitMs, request);
    response.setHeader('Preference-Applied', `wait=${waitMs / 1_000}`);
    response.status(finished === null ? 202 : 200);
    return showTask(finished ?? (await this.reader.get(caller.tenant, stored.id)), sight);
  }

  /** The finished task, or null where the wait ended first. A client that hangs up ends the wait. */
  private async outcome(task: TaskView, waitMs: number, request: Request): Promise<TaskView | null> {
    if (task.finishedAt !== null) {
      return task;
    }
    const gone = new AbortController();
    const hangUp = (): void => gone.abort();
    request.socket.once('close', hangUp);
    try {
      return waitMs === 0 ? null : await this.waiter.wait(task.tenant, task.id, waitMs, gone.signal);
    } finally {
      request.socket.off('close', hangUp);
    }
  }
}
