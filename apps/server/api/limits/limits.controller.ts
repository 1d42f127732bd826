/**
 * Shows a tenant what it may and what it uses of that, and lets the operator of the platform, whose scope is `admin`, see and set the
 * limits of any tenant. What is set holds in this process at once, and in the others when they have read the table again.
 */
import { Body, Controller, Get, Inject, Param, Put, UseGuards } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import { Caller, Scopes, type Principal } from '@app/auth';
import { LimitBook, LimitSetter, TenantUsage } from '@app/limits';
import { BodyReader, ReadsBody } from '../request/body-reader.js';
import { QueryReader } from '../request/query-reader.js';
import { LimitsResponse, showLimits, showSetLimit, TenantLimitsResponse } from './limits.response.js';
import { NewLimitsBody, readNewLimits } from './new-limits.body.js';
import { TenantName } from './tenant-name.js';

const TENANT = {
  name: 'tenant',
  description: 'The tenant, or `*` for every tenant that has no limits of its own.',
  schema: { type: 'string', minLength: 1, maxLength: 64, pattern: '^([A-Za-z0-9._:-]+|\\*)$' },
};

@ApiTags('limits')
@Controller('api/limits')
@UseGuards(QueryReader, BodyReader)
export class LimitsController {
  constructor(
    @Inject(LimitBook) private readonly book: LimitBook,
    @Inject(TenantUsage) private readonly usage: TenantUsage,
    @Inject(LimitSetter) private readonly setter: LimitSetter,
  ) {}

  @Get()
  @Scopes('queues:read')
  @ApiOperation({ summary: 'Read what the tenant may, and what it uses of that' })
  @ApiResponse({ status: 200, type: LimitsResponse })
  async own(@Caller() { tenant }: Principal): Promise<LimitsResponse> {
    return showLimits(tenant, this.book, await this.usage.of(tenant));
  }

  @Get(':tenant')
  @Scopes('admin')
  @ApiOperation({ summary: 'Read the limits of any tenant, what it uses of them, and who set them' })
  @ApiParam(TENANT)
  @ApiResponse({ status: 200, type: TenantLimitsResponse })
  @ApiResponse({ status: 422, description: 'No tenant can have this name.' })
  async of(@Param('tenant', TenantName) tenant: string): Promise<TenantLimitsResponse> {
    const [usage, set] = await Promise.all([this.usage.of(tenant), this.setter.rowsOf(tenant)]);
    return Object.assign(showLimits(tenant, this.book, usage), { set: set.map(showSetLimit) });
  }

  @Put(':tenant')
  @Scopes('admin')
  @ReadsBody('small')
  @ApiOperation({ summary: 'Set or remove limits of any tenant' })
  @ApiParam(TENANT)
  @ApiBody({ type: NewLimitsBody })
  @ApiResponse({ status: 200, type: TenantLimitsResponse })
  @ApiResponse({ status: 409, description: 'The table of limits is as long as it may be.' })
  async set(
    @Param('tenant', TenantName) tenant: string,
    @Body() body: unknown,
    @Caller() caller: Principal,
  ): Promise<TenantLimitsResponse> {
    await this.setter.set(readNewLimits(body, tenant, caller));
    await this.book.refresh();
    return this.of(tenant);
  }
}
