/** API keys as they are shown on the wire. */
import { ApiProperty, ApiSchema } from '@nestjs/swagger';
import { SCOPES, type KeyState, type KeyView, type Scope, type SecretKey } from '@app/auth';
import { formatInstant } from '../request/instant.js';

const STATES = ['active', 'expired', 'revoked'] as const satisfies readonly KeyState[];
const TIME = { type: 'string', format: 'date-time' } as const;

@ApiSchema({ name: 'Key' })
export class KeyResponse {
  @ApiProperty({ format: 'uuid' })
  id!: string;

  @ApiProperty({ description: 'How the key begins: it names the key and proves nothing.', example: 'trx_01ARZ3NDEKTSV4RRFFQ69G' })
  prefix!: string;

  @ApiProperty()
  name!: string;

  @ApiProperty({ enum: SCOPES, isArray: true })
  scopes!: readonly Scope[];

  @ApiProperty({ enum: STATES, description: 'Only an `active` one is accepted.' })
  state!: KeyState;

  @ApiProperty({ description: 'The `sub` claim of whoever made it; `key:` and its id where a key did.' })
  createdBy!: string;

  @ApiProperty({
    type: String,
    format: 'uuid',
    nullable: true,
    description: 'The key that made it, whose end is its end; null where a token did.',
  })
  madeBy!: string | null;

  @ApiProperty(TIME)
  createdAt!: string;

  @ApiProperty(TIME)
  expiresAt!: string;

  @ApiProperty({ ...TIME, nullable: true })
  rotatedAt!: string | null;

  @ApiProperty({ ...TIME, nullable: true, description: 'Until when the secret before the last rotation is good as well.' })
  previousSecretUntil!: string | null;

  @ApiProperty({ ...TIME, nullable: true })
  revokedAt!: string | null;

  @ApiProperty({ ...TIME, nullable: true, description: 'To about a minute.' })
  lastUsedAt!: string | null;
}

@ApiSchema({ name: 'SecretKey' })
export class SecretKeyResponse extends KeyResponse {
  @ApiProperty({ description: 'The key itself. It is shown in this answer and never again.' })
  key!: string;
}

@ApiSchema({ name: 'KeyPage' })
export class KeyPageResponse {
  @ApiProperty({ type: [KeyResponse] })
  items!: KeyResponse[];

  @ApiProperty({ type: String, nullable: true, description: 'For the next page; null at the end.' })
  nextCursor!: string | null;
}

export function showKey(key: KeyView): KeyResponse {
  return {
    id: key.id,
    prefix: key.prefix,
    name: key.name,
    scopes: key.scopes,
    state: key.state,
    createdBy: key.createdBy,
    madeBy: key.madeBy,
    createdAt: formatInstant(key.createdAt),
    expiresAt: formatInstant(key.expiresAt),
    rotatedAt: formatOptional(key.rotatedAt),
    previousSecretUntil: formatOptional(key.previousSecretUntil),
    revokedAt: formatOptional(key.revokedAt),
    lastUsedAt: formatOptional(key.lastUsedAt),
  };
}

export function showSecretKey({ key, text }: SecretKey): SecretKeyResponse {
  return Object.assign(showKey(key), { key: text });
}

function formatOptional(ms: number | null): string | null {
  return ms === null ? null : formatInstant(ms);
}
