/**
 * Makes, shows, rotates and revokes the API keys of the tenant. The text of a key is in the answer that makes it and nowhere else:
 * no list, no log and no table has it.
 */
import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Req, Res, UseGuards } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiParam, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { ApiKeys, Caller, KeyMaker, KeyRevoker, KeyRotator, Scopes, type KeyActor, type Principal } from '@app/auth';
import { BodyReader, ReadsBody } from '../request/body-reader.js';
import { Query, QueryReader, ReadsQuery } from '../request/query-reader.js';
import { writeCursor } from '../tasks/cursor.js';
import { PAGE_DEFAULT, readPage } from '../tasks/list-query.js';
import { readReason } from '../tasks/operate.body.js';
import { TaskId } from '../tasks/task-id.js';
import { KeyPageResponse, KeyResponse, SecretKeyResponse, showKey, showSecretKey } from './key.response.js';
import { NewKeyBody, readNewKey, readRotation, RotateKeyBody } from './new-key.body.js';

const ID = { name: 'id', format: 'uuid', description: 'The id of the key.' };
const LIST = { list: 'keys' };
const SWITCHED_OFF = 'or the installation takes no API keys.';

@ApiTags('keys')
@Controller('api/keys')
@UseGuards(QueryReader, BodyReader)
export class KeysController {
  constructor(
    @Inject(ApiKeys) private readonly keys: ApiKeys,
    @Inject(KeyMaker) private readonly maker: KeyMaker,
    @Inject(KeyRotator) private readonly rotator: KeyRotator,
    @Inject(KeyRevoker) private readonly revoker: KeyRevoker,
  ) {}

  @Post()
  @Scopes('keys:manage')
  @ReadsBody('small')
  @ApiOperation({
    summary: 'Make an API key',
    description: 'For the tenant of the caller. A key that is made with a key ends with it. The answer is the only place that has `key`.',
  })
  @ApiBody({ type: NewKeyBody })
  @ApiResponse({ status: 201, type: SecretKeyResponse, description: 'Made. `Location` is its address.' })
  @ApiResponse({ status: 409, description: `As many keys of this tenant are active as may be, ${SWITCHED_OFF}` })
  async make(
    @Body() body: unknown,
    @Caller() caller: Principal,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<SecretKeyResponse> {
    const { reason, ...wanted } = readNewKey(body);
    const made = await this.maker.make(actorOf(caller, request, reason), wanted);
    response.location(`/api/keys/${made.key.id}`);
    return showSecretKey(made);
  }

  @Get()
  @Scopes('keys:manage')
  @ReadsQuery('limit', 'cursor')
  @ApiOperation({ summary: 'List API keys, newest first', description: 'Ended ones as well, for as long as they are remembered.' })
  @ApiQuery({ name: 'limit', required: false, schema: { type: 'integer', minimum: 1, maximum: 200, default: PAGE_DEFAULT } })
  @ApiQuery({ name: 'cursor', required: false, type: String, description: '`nextCursor` of the page before.' })
  @ApiResponse({ status: 200, type: KeyPageResponse })
  async list(@Query() parameters: ReadonlyMap<string, string>, @Caller() { tenant }: Principal): Promise<KeyPageResponse> {
    const { items, nextCursor } = await this.keys.list(tenant, readPage(parameters, tenant, LIST));
    return { items: items.map(showKey), nextCursor: nextCursor === null ? null : writeCursor(tenant, LIST, nextCursor) };
  }

  @Get(':id')
  @Scopes('keys:manage')
  @ApiOperation({ summary: 'Read an API key' })
  @ApiParam(ID)
  @ApiResponse({ status: 200, type: KeyResponse })
  async get(@Param('id', TaskId) id: string, @Caller() { tenant }: Principal): Promise<KeyResponse> {
    return showKey(await this.keys.get(tenant, id));
  }

  @Post(':id/rotate')
  @HttpCode(200)
  @Scopes('keys:manage')
  @ReadsBody('small?')
  @ApiOperation({
    summary: 'Give an API key a new secret',
    description: 'The old one stays good for `overlapMs`. The caller needs every scope of the key; a key rotates itself and what it made.',
  })
  @ApiParam(ID)
  @ApiBody({ type: RotateKeyBody, required: false })
  @ApiResponse({ status: 200, type: SecretKeyResponse })
  @ApiResponse({ status: 409, description: `The key has ended, ${SWITCHED_OFF}` })
  async rotate(
    @Param('id', TaskId) id: string,
    @Body() body: unknown,
    @Caller() caller: Principal,
    @Req() request: Request,
  ): Promise<SecretKeyResponse> {
    const { overlapMs, reason } = readRotation(body);
    return showSecretKey(await this.rotator.rotate(actorOf(caller, request, reason), id, overlapMs));
  }

  @Delete(':id')
  @Scopes('keys:manage')
  @ReadsQuery('reason')
  @ApiOperation({
    summary: 'Revoke an API key',
    description:
      'And every key that was made with it. It is refused everywhere within seconds, and for good. Asking again changes nothing.',
  })
  @ApiParam(ID)
  @ApiQuery({ name: 'reason', required: false, type: String, description: 'Why, in at most 500 characters; it is kept in the audit log.' })
  @ApiResponse({ status: 200, type: KeyResponse })
  @ApiResponse({ status: 422, description: 'The reason does not do.' })
  async revoke(
    @Param('id', TaskId) id: string,
    @Query() parameters: ReadonlyMap<string, string>,
    @Caller() caller: Principal,
    @Req() request: Request,
  ): Promise<KeyResponse> {
    const reason = readReason(Object.fromEntries(parameters));
    return showKey(await this.revoker.revoke(actorOf(caller, request, reason), id));
  }
}

function actorOf(principal: Principal, request: Request, reason: string): KeyActor {
  return { principal, address: request.ip ?? null, reason };
}
