/**
 * Shows the dead letters: tasks that have failed and that nobody has put aside. One is read, retried and discarded as the task it
 * is; many at once through `POST /api/bulk`.
 */
import { Controller, Get, Inject, UseGuards } from '@nestjs/common';
import { ApiOperation, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import { Caller, Scopes, type Principal } from '@app/auth';
import { Config } from '@app/config';
import { DeadLetters, FAILURE_REASONS, TASK_LIMITS, TaskReader } from '@app/tasks';
import { nameSchema } from '../request/field-rules.js';
import { Query, QueryReader, ReadsQuery } from '../request/query-reader.js';
import { sightOf } from '../tasks/content-scope.js';
import { writeCursor } from '../tasks/cursor.js';
import { DEAD_LETTER_PARAMETERS, PAGE_DEFAULT, readListQuery } from '../tasks/list-query.js';
import { showTask } from '../tasks/show-task.js';
import { TaskPageResponse } from '../tasks/task.response.js';
import { DeadLetterSummaryResponse, showSummary } from './dead-letter.response.js';

@ApiTags('dead letters')
@Controller('api/dead-letters')
@UseGuards(QueryReader)
export class DeadLettersController {
  constructor(
    @Inject(TaskReader) private readonly reader: TaskReader,
    @Inject(DeadLetters) private readonly deadLetters: DeadLetters,
    @Inject(Config) private readonly config: Config,
  ) {}

  @Get()
  @Scopes('tasks:read')
  @ReadsQuery(...DEAD_LETTER_PARAMETERS)
  @ApiOperation({ summary: 'List dead letters, newest first', description: 'Failed tasks that are not discarded.' })
  @ApiQuery({ name: 'reason', required: false, enum: FAILURE_REASONS })
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
    const { filter, page } = readListQuery(parameters, tenant, { state: 'failed', discarded: false });
    const { items, nextCursor } = await this.reader.list(tenant, filter, page);
    return {
      items: items.map((task) => showTask(task, sight)),
      nextCursor: nextCursor === null ? null : writeCursor(tenant, filter, nextCursor),
    };
  }

  @Get('summary')
  @Scopes('tasks:read')
  @ApiOperation({ summary: 'Count dead letters by reason, name and queue' })
  @ApiResponse({ status: 200, type: DeadLetterSummaryResponse })
  async summary(@Caller() { tenant }: Principal): Promise<DeadLetterSummaryResponse> {
    return showSummary(await this.deadLetters.summary(tenant));
  }
}
