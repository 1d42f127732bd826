/**
 * Takes many tasks in with one request. Each is accepted or refused on its own and answers in its own place; only what
 * concerns the whole (a body that cannot be read, a list that is too long, a database that is away) fails the whole.
 */
import { Body, Controller, Headers, Inject, Post, Res, UseGuards } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiProperty, ApiPropertyOptional, ApiQuery, ApiResponse, ApiSchema, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { Caller, Scopes, type Principal } from '@app/auth';
import { Config } from '@app/config';
import { MalformedRequest, TaskRunnerError } from '@app/errors';
import { TaskSubmitter, type NewTask, type Submitted } from '@app/tasks';
import { ProblemReporter } from '../problem/problem-reporter.js';
import { ProblemResponse } from '../problem/problem.response.js';
import { retryAfterSeconds, type Problem } from '../problem/problem.js';
import { assertAcceptable, bindBody } from '../request/bind-body.js';
import { BodyReader, ReadsBody } from '../request/body-reader.js';
import { Query, QueryReader, ReadsQuery } from '../request/query-reader.js';
import { requestIdOf } from '../request/request-id.js';
import { sightOf, type Sight } from './content-scope.js';
import { NewBatchBody } from './new-task.body.js';
import { PayloadRules } from './payload-rules.js';
import { BatchPlanResponse, type BatchPlanItemResponse } from './plan.response.js';
import { DRY_RUN, Planner, readDryRun } from './planner.js';
import { readBatchTask } from './read-new-task.js';
import { showTask } from './show-task.js';
import { TaskResponse } from './task.response.js';

@ApiSchema({ name: 'BatchItem' })
export class BatchItemResponse {
  @ApiProperty({ type: 'integer', description: '201 stored, 200 replayed, or the status of the problem.' })
  status!: number;

  @ApiPropertyOptional({ type: TaskResponse })
  task?: TaskResponse;

  @ApiPropertyOptional({ type: ProblemResponse })
  problem?: Problem;

  @ApiPropertyOptional({
    type: 'integer',
    description: 'What `Retry-After` says to a single submission, in seconds, where repeating may help.',
  })
  retryAfter?: number;
}

@ApiSchema({ name: 'BatchResult' })
export class BatchResponse {
  @ApiProperty({ type: [BatchItemResponse], description: 'One per task of the request, in the same order.' })
  items!: BatchItemResponse[];
}

@ApiTags('tasks')
@Controller('api/tasks/batch')
@UseGuards(QueryReader, BodyReader)
export class BatchController {
  constructor(
    @Inject(TaskSubmitter) private readonly submitter: TaskSubmitter,
    @Inject(ProblemReporter) private readonly problems: ProblemReporter,
    @Inject(PayloadRules) private readonly payloads: PayloadRules,
    @Inject(Planner) private readonly planner: Planner,
    @Inject(Config) private readonly config: Config,
  ) {}

  @Post()
  @Scopes('tasks:write')
  @ReadsBody('batch')
  @ReadsQuery('dryRun')
  @ApiOperation({ summary: 'Submit up to 1,000 tasks' })
  @ApiBody({ type: NewBatchBody })
  @ApiQuery(DRY_RUN)
  @ApiResponse({ status: 201, type: BatchResponse })
  @ApiResponse({ status: 200, type: BatchPlanResponse, description: 'With `dryRun=true`: what each would become.' })
  async submit(
    @Body() body: unknown,
    @Headers('idempotency-key') key: string | undefined,
    @Query() parameters: ReadonlyMap<string, string>,
    @Caller() caller: Principal,
    @Res({ passthrough: true }) response: Response,
  ): Promise<BatchResponse | BatchPlanResponse> {
    const dryRun = readDryRun(parameters);
    if (key !== undefined) {
      throw new MalformedRequest(
        'idempotency-key-invalid',
        'A batch takes no Idempotency-Key header. Give each task its own idempotencyKey.',
      );
    }
    const { value, problems } = bindBody(NewBatchBody, body);
    assertAcceptable(problems);
    const read = value.tasks.map((task, index) => this.read(task, index, caller));
    const accepted = read.filter((item): item is NewTask => !(item instanceof TaskRunnerError));
    if (dryRun) {
      response.status(200);
      return { items: await this.planned(read, accepted, caller, response) };
    }
    const settled = await this.hand(accepted);
    const sight = sightOf(this.config, caller);
    const items = read.map((item, index) =>
      item instanceof TaskRunnerError ? this.refused(item, response) : this.shown(settled.shift(), sight, response, placeOf(index)),
    );
    return { items };
  }

  private async planned(
    read: readonly (NewTask | TaskRunnerError)[],
    accepted: readonly NewTask[],
    { tenant }: Principal,
    response: Response,
  ): Promise<BatchPlanItemResponse[]> {
    const plans = await this.planner.planMany(tenant, accepted);
    return read.map((item, index) => {
      if (item instanceof TaskRunnerError) return this.refused(item, response);
      const plan = plans.shift();
      return plan === undefined || plan instanceof TaskRunnerError ? this.refused(plan, response, placeOf(index)) : { status: 200, plan };
    });
  }

  private read(task: unknown, index: number, caller: Principal): NewTask | TaskRunnerError {
    try {
      return readBatchTask(task, placeOf(index), caller, this.payloads);
    } catch (error) {
      if (error instanceof TaskRunnerError) {
        return error;
      }
      throw error;
    }
  }

  /** @throws the common reason where a dependency was away for every task: the client should repeat the whole */
  private async hand(tasks: readonly NewTask[]): Promise<PromiseSettledResult<Submitted>[]> {
    const settled = tasks.length === 0 ? [] : await this.submitter.submitMany(tasks);
    const reasons = settled.flatMap((result): unknown[] => (result.status === 'rejected' ? [result.reason] : []));
    const away = reasons.every((reason) => reason instanceof TaskRunnerError && reason.kind === 'unavailable');
    if (settled.length > 0 && reasons.length === settled.length && away) {
      throw reasons[0];
    }
    return settled;
  }

  private shown(result: PromiseSettledResult<Submitted> | undefined, sight: Sight, response: Response, place: string): BatchItemResponse {
    if (result?.status !== 'fulfilled') {
      return this.refused(result?.reason, response, place);
    }
    return { status: result.value.replayed ? 200 : 201, task: showTask(result.value.task, sight) };
  }

  /** `place`: where the task stands in the body, for an error of somebody who knows the task alone. */
  private refused(error: unknown, response: Response, place = ''): { status: number; problem: Problem } {
    const told = this.problems.report(error, requestIdOf(response));
    const problem =
      told.errors === undefined ? told : { ...told, errors: told.errors.map((one) => ({ ...one, pointer: place + one.pointer })) };
    const retryAfter = retryAfterSeconds(error, problem.status);
    return { status: problem.status, problem, ...(retryAfter !== null && { retryAfter }) };
  }
}

const placeOf = (index: number): string => `/tasks/${index}`;
