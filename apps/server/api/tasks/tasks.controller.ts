/** Shows tasks and lets people intervene. Every call is scoped by the tenant of the token: what is another's does not exist. */
import { Body, Controller, Get, HttpCode, Inject, Param, Post, UseGuards } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiParam, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import { Caller, Scopes, type Principal } from '@app/auth';
import { Config } from '@app/config';
import { FAILURE_REASONS, TASK_LIMITS, TASK_STATES, TaskCanceller, TaskDiscarder, TaskReader, TaskRetrier } from '@app/tasks';
import { BodyReader, ReadsBody } from '../request/body-reader.js';
import { nameSchema } from '../request/field-rules.js';
import { Query, QueryReader, ReadsQuery } from '../request/query-reader.js';
import { sightOf } from './content-scope.js';
import { writeCursor } from './cursor.js';
import { LIST_PARAMETERS, PAGE_DEFAULT, readListQuery } from './list-query.js';
import { readReason, readRetry, ReasonBody, RetryTaskBody } from './operate.body.js';
import { PayloadRules } from './payload-rules.js';
import { showAttempt, showTask } from './show-task.js';
import { TaskId } from './task-id.js';
import { AttemptListResponse, TaskPageResponse, TaskResponse } from './task.response.js';

const ID = { name: 'id', format: 'uuid', description: 'The id of the task.' };
const INVALID_STATE = { status: 409, description: 'The task is in a state that does not allow this.' };

@ApiTags('tasks')
@Controller('api/tasks')
@UseGuards(QueryReader, BodyReader)
export class TasksController {
  constructor(
    @Inject(TaskReader) private readonly reader: TaskReader,
    @Inject(TaskCanceller) private readonly canceller: TaskCanceller,
    @Inject(TaskRetrier) private readonly retrier: TaskRetrier,
    @Inject(TaskDiscarder) private readonly discarder: TaskDiscarder,
    @Inject(PayloadRules) private readonly payloads: PayloadRules,
    @Inject(Config) private readonly config: Config,
  ) {}

  @Get()
  @Scopes('tasks:read')
  @ReadsQuery(...LIST_PARAMETERS)
  @ApiOperation({ summary: 'List tasks, newest first' })
  @ApiQuery({ name: 'state', required: false, enum: TASK_STATES })
  @ApiQuery({ name: 'reason', required: false, enum: FAILURE_REASONS, description: 'Why it failed; leaves out what has not.' })
  @ApiQuery({ name: 'discarded', required: false, type: Boolean, description: '`true`: only discarded tasks; `false`: all others.' })
  @ApiQuery({ name: 'name', required: false, schema: nameSchema(TASK_LIMITS.nameLength) })
  @ApiQuery({ name: 'queue', required: false, schema: nameSchema(TASK_LIMITS.queueLength) })
  @ApiQuery({ name: 'tag', required: false, schema: nameSchema(TASK_LIMITS.tagLength) })
  @ApiQuery({ name: 'createdAfter', required: false, schema: { type: 'string', format: 'date-time' }, description: 'Inclusive.' })
  @ApiQuery({ name: 'createdBefore', required: false, schema: { type: 'string', format: 'date-time' }, description: 'Exclusive.' })
  @ApiQuery({ name: 'limit', required: false, schema: { type: 'integer', minimum: 1, maximum: 200, default: PAGE_DEFAULT } })
  @ApiQuery({ name: 'cursor', required: false, type: String, description: '`nextCursor` of the page before, with the same filters.' })
  @ApiResponse({ status: 200, type: TaskPageResponse })
  async list(@Query() parameters: ReadonlyMap<string, string>, @Caller() caller: Principal): Promise<TaskPageResponse> {
    const { tenant } = caller;
    const sight = sightOf(this.config, caller);
    const { filter, page } = readListQuery(parameters, tenant);
    const { items, nextCursor } = await this.reader.list(tenant, filter, page);
    return {
      items: items.map((task) => showTask(task, sight)),
      nextCursor: nextCursor === null ? null : writeCursor(tenant, filter, nextCursor),
    };
  }

  @Get(':id')
  @Scopes('tasks:read')
  @ApiOperation({ summary: 'Read a task' })
  @ApiParam(ID)
  @ApiResponse({ status: 200, type: TaskResponse })
  async get(@Param('id', TaskId) id: string, @Caller() caller: Principal): Promise<TaskResponse> {
    return showTask(await this.reader.get(caller.tenant, id), sightOf(this.config, caller));
  }

  @Get(':id/attempts')
  @Scopes('tasks:read')
  @ApiOperation({ summary: 'Read the attempts of a task' })
  @ApiParam(ID)
  @ApiResponse({ status: 200, type: AttemptListResponse })
  async attempts(@Param('id', TaskId) id: string, @Caller() caller: Principal): Promise<AttemptListResponse> {
    const sight = sightOf(this.config, caller);
    return { items: (await this.reader.attempts(caller.tenant, id)).map((attempt) => showAttempt(attempt, sight)) };
  }

  @Post(':id/cancel')
  @HttpCode(200)
  @Scopes('tasks:cancel')
  @ReadsBody('small?')
  @ApiOperation({
    summary: 'Cancel a task',
    description:
      'A running task is asked to stop; it ends `cancelled` when it has, unless it finished first. Asking again changes nothing.',
  })
  @ApiParam(ID)
  @ApiBody({ type: ReasonBody, required: false })
  @ApiResponse({ status: 200, type: TaskResponse })
  @ApiResponse(INVALID_STATE)
  async cancel(@Param('id', TaskId) id: string, @Body() body: unknown, @Caller() caller: Principal): Promise<TaskResponse> {
    return showTask(await this.canceller.cancel(caller.tenant, id, caller.subject, readReason(body)), sightOf(this.config, caller));
  }

  @Post(':id/retry')
  @HttpCode(200)
  @Scopes('tasks:write')
  @ReadsBody('task?')
  @ApiOperation({
    summary: 'Run a failed, cancelled or expired task again',
    description: 'Failures and crashes start at zero. With the same payload it goes on from its checkpoint, if it has one.',
  })
  @ApiParam(ID)
  @ApiBody({ type: RetryTaskBody, required: false })
  @ApiResponse({ status: 200, type: TaskResponse })
  @ApiResponse(INVALID_STATE)
  async retry(@Param('id', TaskId) id: string, @Body() body: unknown, @Caller() caller: Principal): Promise<TaskResponse> {
    const { tenant, subject } = caller;
    const change = readRetry(body, this.payloads);
    if (change.payload !== undefined) {
      const { name } = await this.reader.get(tenant, id);
      this.payloads.assertFits(name, JSON.parse(change.payload) as unknown);
    }
    return showTask(await this.retrier.retry(tenant, id, subject, change), sightOf(this.config, caller));
  }

  @Post(':id/discard')
  @HttpCode(200)
  @Scopes('tasks:write')
  @ReadsBody('small?')
  @ApiOperation({
    summary: 'Put a dead letter aside',
    description: 'The task stays `failed`, with `discarded: true`, and is no dead letter any more. It can still be retried.',
  })
  @ApiParam(ID)
  @ApiBody({ type: ReasonBody, required: false })
  @ApiResponse({ status: 200, type: TaskResponse })
  @ApiResponse(INVALID_STATE)
  async discard(@Param('id', TaskId) id: string, @Body() body: unknown, @Caller() caller: Principal): Promise<TaskResponse> {
    return showTask(await this.discarder.discard(caller.tenant, id, caller.subject, readReason(body)), sightOf(this.config, caller));
  }
}
