/**
 * Shows the queues a tenant uses, and stops and starts them. A pause is the tenant's own; for all tenants at once it takes
 * the `admin` scope on top.
 */
import { Body, Controller, Get, HttpCode, Inject, Param, Post, UseGuards } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiParam, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import { Caller, requireScopes, Scopes, type Principal } from '@app/auth';
import { Queues, TASK_LIMITS, type QueueView } from '@app/tasks';
import { BodyReader, ReadsBody } from '../request/body-reader.js';
import { nameSchema } from '../request/field-rules.js';
import { invalidQuery, Query, QueryReader, ReadsQuery } from '../request/query-reader.js';
import { ReasonBody, readReason } from '../tasks/operate.body.js';
import { QueueName } from './queue-name.js';
import { QueueListResponse, QueueResponse, showQueue } from './queue.response.js';

const NAME = { name: 'name', description: 'The name of the queue.', schema: nameSchema(TASK_LIMITS.queueLength) };
const ALL_TENANTS = { name: 'allTenants', required: false, type: Boolean, description: '`true` for all tenants; needs the `admin` scope.' };
const EMPTY: Omit<QueueView, 'name' | 'paused'> = {
  pausedAt: null,
  pausedBy: null,
  depth: { scheduled: 0, queued: 0, running: 0, retrying: 0, failed: 0 },
  countedUpTo: 0,
  oldestQueuedAgeMs: null,
};

@ApiTags('queues')
@Controller('api/queues')
@UseGuards(QueryReader, BodyReader)
export class QueuesController {
  constructor(@Inject(Queues) private readonly queues: Queues) {}

  @Get()
  @Scopes('queues:read')
  @ApiOperation({ summary: 'List queues with their depth' })
  @ApiResponse({ status: 200, type: QueueListResponse })
  async list(@Caller() { tenant }: Principal): Promise<QueueListResponse> {
    return { items: (await this.queues.list(tenant)).map(showQueue) };
  }

  @Post(':name/pause')
  @HttpCode(200)
  @Scopes('queues:manage')
  @ReadsBody('small?')
  @ReadsQuery('allTenants')
  @ApiOperation({
    summary: 'Pause a queue',
    description:
      'What runs goes on. Workers look every second: until then they may still take tasks from it. A tenant may pause 1,000 queues.',
  })
  @ApiParam(NAME)
  @ApiQuery(ALL_TENANTS)
  @ApiBody({ type: ReasonBody, required: false })
  @ApiResponse({ status: 200, type: QueueResponse })
  async pause(
    @Param('name', QueueName) name: string,
    @Query() parameters: ReadonlyMap<string, string>,
    @Body() body: unknown,
    @Caller() caller: Principal,
  ): Promise<QueueResponse> {
    const reason = readReason(body);
    if (forAllTenants(parameters, caller)) {
      await this.queues.pauseEverywhere(caller.tenant, name, caller.subject, reason);
      return this.show(caller.tenant, name, true);
    }
    return showQueue(await this.queues.pause(caller.tenant, name, caller.subject, reason));
  }

  @Post(':name/resume')
  @HttpCode(200)
  @Scopes('queues:manage')
  @ReadsBody('small?')
  @ReadsQuery('allTenants')
  @ApiOperation({ summary: 'Resume a queue' })
  @ApiParam(NAME)
  @ApiQuery(ALL_TENANTS)
  @ApiBody({ type: ReasonBody, required: false })
  @ApiResponse({ status: 200, type: QueueResponse })
  async resume(
    @Param('name', QueueName) name: string,
    @Query() parameters: ReadonlyMap<string, string>,
    @Body() body: unknown,
    @Caller() caller: Principal,
  ): Promise<QueueResponse> {
    const reason = readReason(body);
    if (forAllTenants(parameters, caller)) {
      await this.queues.resumeEverywhere(caller.tenant, name, caller.subject, reason);
      return this.show(caller.tenant, name, false);
    }
    return showQueue(await this.queues.resume(caller.tenant, name, caller.subject, reason));
  }

  /** The queue as the caller's tenant sees it; one the tenant has no task in is shown empty. */
  private async show(tenant: string, name: string, paused: boolean): Promise<QueueResponse> {
    const queue = (await this.queues.list(tenant)).find((known) => known.name === name);
    return showQueue(queue ?? { ...EMPTY, name, paused });
  }
}

/** @throws InsufficientScope, MalformedRequest `invalid-query` */
function forAllTenants(parameters: ReadonlyMap<string, string>, caller: Principal): boolean {
  const text = parameters.get('allTenants') ?? 'false';
  if (text !== 'true' && text !== 'false') {
    throw invalidQuery('allTenants', 'must be true or false');
  }
  if (text === 'true') {
    requireScopes(caller, ['admin']);
  }
  return text === 'true';
}
