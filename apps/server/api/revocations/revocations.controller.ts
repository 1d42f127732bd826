/** Lets the administrators of a tenant refuse tokens before their time, see what is refused, and take it back. */
import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, UseGuards } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiParam, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import { Caller, Revocations, RevocationStore, Scopes, type Principal } from '@app/auth';
import { Config } from '@app/config';
import { Clock } from '@app/lifecycle';
import { BodyReader, ReadsBody } from '../request/body-reader.js';
import { Query, QueryReader, ReadsQuery } from '../request/query-reader.js';
import { writeCursor } from '../tasks/cursor.js';
import { PAGE_DEFAULT, readPage } from '../tasks/list-query.js';
import { TaskId } from '../tasks/task-id.js';
import { NewRevocationBody } from './new-revocation.body.js';
import { readNewRevocation } from './read-new-revocation.js';
import { RevocationPageResponse, RevocationResponse, showRevocation } from './revocation.response.js';

const LIST = { list: 'revocations' };

@ApiTags('revocations')
@Controller('api/revocations')
@UseGuards(QueryReader, BodyReader)
export class RevocationsController {
  constructor(
    @Inject(RevocationStore) private readonly store: RevocationStore,
    @Inject(Revocations) private readonly revocations: Revocations,
    @Inject(Config) private readonly config: Config,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  @Post()
  @Scopes('keys:manage')
  @ReadsBody('small')
  @ApiOperation({
    summary: 'Revoke tokens of the tenant',
    description:
      'One by its id, those of a subject, or all, as far as they were issued before a moment. In force within seconds everywhere.',
  })
  @ApiBody({ type: NewRevocationBody })
  @ApiResponse({ status: 201, type: RevocationResponse })
  @ApiResponse({ status: 429, description: 'As many revocations of this tenant are kept as may be.' })
  async revoke(@Body() body: unknown, @Caller() caller: Principal): Promise<RevocationResponse> {
    const wanted = readNewRevocation(body, caller, this.clock.now() + this.config.authLeewayMs);
    const added = await this.store.add(wanted);
    await this.takeNotice();
    return showRevocation(added);
  }

  @Get()
  @Scopes('keys:manage')
  @ReadsQuery('limit', 'cursor')
  @ApiOperation({ summary: 'List revocations, newest first', description: 'Those that were taken back too, until they are deleted.' })
  @ApiQuery({ name: 'limit', required: false, schema: { type: 'integer', minimum: 1, maximum: 200, default: PAGE_DEFAULT } })
  @ApiQuery({ name: 'cursor', required: false, type: String, description: '`nextCursor` of the page before.' })
  @ApiResponse({ status: 200, type: RevocationPageResponse })
  async list(@Query() parameters: ReadonlyMap<string, string>, @Caller() { tenant }: Principal): Promise<RevocationPageResponse> {
    const { items, nextCursor } = await this.store.list(tenant, readPage(parameters, tenant, LIST));
    return { items: items.map(showRevocation), nextCursor: nextCursor === null ? null : writeCursor(tenant, LIST, nextCursor) };
  }

  @Delete(':id')
  @HttpCode(204)
  @Scopes('keys:manage')
  @ApiOperation({ summary: 'Take a revocation back', description: 'Tokens that it refused, and that have not ended, are accepted again.' })
  @ApiParam({ name: 'id', format: 'uuid', description: 'The id of the revocation.' })
  @ApiResponse({ status: 204, description: 'Taken back, now or before.' })
  async lift(@Param('id', TaskId) id: string, @Caller() { tenant, subject }: Principal): Promise<void> {
    await this.store.lift(tenant, id, subject);
    await this.takeNotice();
  }

  /** What was changed holds in this process at once. Where it cannot be read now, the loop does so shortly. */
  private async takeNotice(): Promise<void> {
    await this.revocations.readAgain().catch(() => undefined);
  }
}
