/** Shows who did what to the tasks and queues of the tenant, and why. */
import { Controller, Get, Inject, UseGuards } from '@nestjs/common';
import { ApiOperation, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import { type AuditFilter, AuditLog } from '@app/audit';
import { Caller, Scopes, type Principal } from '@app/auth';
import { invalidQuery, Query, QueryReader, ReadsQuery } from '../request/query-reader.js';
import { writeCursor } from '../tasks/cursor.js';
import { PAGE_DEFAULT, readPage } from '../tasks/list-query.js';
import { AuditPageResponse, showEntry } from './audit.response.js';

const LENGTH_MAX = { action: 64, actor: 255 } as const;

@ApiTags('audit')
@Controller('api/audit')
@UseGuards(QueryReader)
export class AuditController {
  constructor(@Inject(AuditLog) private readonly log: AuditLog) {}

  @Get()
  @Scopes('admin')
  @ReadsQuery('action', 'actor', 'limit', 'cursor')
  @ApiOperation({ summary: 'Read the audit log of the tenant, newest first' })
  @ApiQuery({ name: 'action', required: false, type: String, example: 'task.retry' })
  @ApiQuery({ name: 'actor', required: false, type: String, description: 'A `sub` claim.' })
  @ApiQuery({ name: 'limit', required: false, schema: { type: 'integer', minimum: 1, maximum: 200, default: PAGE_DEFAULT } })
  @ApiQuery({ name: 'cursor', required: false, type: String, description: '`nextCursor` of the page before, with the same filters.' })
  @ApiResponse({ status: 200, type: AuditPageResponse })
  async list(@Query() parameters: ReadonlyMap<string, string>, @Caller() { tenant }: Principal): Promise<AuditPageResponse> {
    const filter: AuditFilter = { ...readText(parameters, 'action'), ...readText(parameters, 'actor') };
    const list = { list: 'audit', ...filter };
    const { items, nextCursor } = await this.log.list(tenant, filter, readPage(parameters, tenant, list));
    return { items: items.map(showEntry), nextCursor: nextCursor === null ? null : writeCursor(tenant, list, nextCursor) };
  }
}

function readText(parameters: ReadonlyMap<string, string>, name: 'action' | 'actor'): AuditFilter {
  const text = parameters.get(name);
  if (text === undefined) {
    return {};
  }
  if (text === '' || text.length > LENGTH_MAX[name] || /\p{Cc}/u.test(text)) {
    throw invalidQuery(name, `must be 1 to ${LENGTH_MAX[name]} characters, without control characters`);
  }
  return { [name]: text };
}
