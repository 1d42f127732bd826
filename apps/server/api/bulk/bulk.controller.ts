/**
 * Starts, shows and aborts operations over many tasks. Starting one only writes it down; the scheduler role carries it out, and
 * tells here how far it is.
 */
import { Body, Controller, Get, HttpCode, Inject, Param, Post, Req, Res, UseGuards } from '@nestjs/common';
import { ApiBody, ApiHeader, ApiOperation, ApiParam, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Caller, requireScopes, Scopes, type Principal } from '@app/auth';
import { Config } from '@app/config';
import { BulkOperations } from '@app/tasks';
import { BodyReader, ReadsBody } from '../request/body-reader.js';
import { Query, QueryReader, ReadsQuery } from '../request/query-reader.js';
import { writeCursor } from '../tasks/cursor.js';
import { KEY_HEADER, readIdempotencyKey } from '../tasks/idempotency.js';
import { PAGE_DEFAULT, readPage } from '../tasks/list-query.js';
import { ReasonBody, readReason } from '../tasks/operate.body.js';
import { TaskId } from '../tasks/task-id.js';
import { BulkPageResponse, BulkResponse, showBulk } from './bulk.response.js';
import { NewBulkBody } from './new-bulk.body.js';
import { readNewBulk } from './read-new-bulk.js';

const ID = { name: 'id', format: 'uuid', description: 'The id of the operation.' };
const LIST = { list: 'bulk' };

@ApiTags('bulk')
@Controller('api/bulk')
@UseGuards(QueryReader, BodyReader)
export class BulkController {
  constructor(
    @Inject(BulkOperations) private readonly operations: BulkOperations,
    @Inject(Config) private readonly config: Config,
  ) {}

  @Post()
  @Scopes('tasks:write')
  @ReadsBody('small')
  @ApiOperation({
    summary: 'Retry, cancel or discard many tasks',
    description:
      'It runs on its own, at the asked rate, over the tasks that are there now. `cancel` needs the scope `tasks:cancel` as well. ' +
      'A `retry` takes dead letters unless the filter names another state.',
  })
  @ApiBody({ type: NewBulkBody })
  @ApiHeader({ ...KEY_HEADER, description: 'Makes repeating safe: the same key and body start one operation.' })
  @ApiResponse({ status: 202, type: BulkResponse, description: 'Started. `Location` is its address.' })
  @ApiResponse({ status: 200, type: BulkResponse, description: 'Replayed (`Idempotency-Replayed: true`).' })
  @ApiResponse({ status: 429, description: 'As many operations of this tenant are running as may.' })
  async start(
    @Body() body: unknown,
    @Req() request: Request,
    @Caller() caller: Principal,
    @Res({ passthrough: true }) response: Response,
  ): Promise<BulkResponse> {
    const wanted = readNewBulk(body, readIdempotencyKey(request), caller, this.config.bulkRatePerSecond);
    if (wanted.action === 'cancel') {
      requireScopes(caller, ['tasks:cancel']);
    }
    const { operation, replayed } = await this.operations.start(wanted);
    response.location(`/api/bulk/${operation.id}`).status(replayed ? 200 : 202);
    if (replayed) {
      response.setHeader('Idempotency-Replayed', 'true');
    }
    return showBulk(operation);
  }

  @Get()
  @Scopes('tasks:read')
  @ReadsQuery('limit', 'cursor')
  @ApiOperation({ summary: 'List bulk operations, newest first' })
  @ApiQuery({ name: 'limit', required: false, schema: { type: 'integer', minimum: 1, maximum: 200, default: PAGE_DEFAULT } })
  @ApiQuery({ name: 'cursor', required: false, type: String, description: '`nextCursor` of the page before.' })
  @ApiResponse({ status: 200, type: BulkPageResponse })
  async list(@Query() parameters: ReadonlyMap<string, string>, @Caller() { tenant }: Principal): Promise<BulkPageResponse> {
    const { items, nextCursor } = await this.operations.list(tenant, readPage(parameters, tenant, LIST));
    return { items: items.map(showBulk), nextCursor: nextCursor === null ? null : writeCursor(tenant, LIST, nextCursor) };
  }

  @Get(':id')
  @Scopes('tasks:read')
  @ApiOperation({ summary: 'Read a bulk operation' })
  @ApiParam(ID)
  @ApiResponse({ status: 200, type: BulkResponse })
  async get(@Param('id', TaskId) id: string, @Caller() { tenant }: Principal): Promise<BulkResponse> {
    return showBulk(await this.operations.get(tenant, id));
  }

  @Post(':id/abort')
  @HttpCode(200)
  @Scopes('tasks:write')
  @ReadsBody('small?')
  @ApiOperation({ summary: 'Abort a bulk operation', description: 'Nothing more is moved from now on; what was done stays done.' })
  @ApiParam(ID)
  @ApiBody({ type: ReasonBody, required: false })
  @ApiResponse({ status: 200, type: BulkResponse })
  @ApiResponse({ status: 409, description: 'The operation has ended.' })
  async abort(@Param('id', TaskId) id: string, @Body() body: unknown, @Caller() { tenant, subject }: Principal): Promise<BulkResponse> {
    return showBulk(await this.operations.abort(tenant, id, subject, readReason(body)));
  }
}
