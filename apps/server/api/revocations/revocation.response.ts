/** A revocation as it is shown on the wire. */
import { ApiProperty, ApiSchema } from '@nestjs/swagger';
import type { RevocationView } from '@app/auth';
import { formatInstant } from '../request/instant.js';

const TIME = { type: 'string', format: 'date-time' } as const;

@ApiSchema({ name: 'Revocation' })
export class RevocationResponse {
  @ApiProperty({ format: 'uuid' })
  id!: string;

  @ApiProperty({ type: String, nullable: true, description: 'The one token it is about.' })
  tokenId!: string | null;

  @ApiProperty({ type: String, nullable: true, description: 'Whose tokens it is about.' })
  subject!: string | null;

  @ApiProperty({ description: 'Whether it is about every token of the tenant.' })
  everything!: boolean;

  @ApiProperty({ ...TIME, nullable: true, description: 'Tokens that were issued before this are refused; null for a single token.' })
  before!: string | null;

  @ApiProperty(TIME)
  revokedAt!: string;

  @ApiProperty({ description: 'The `sub` claim of whoever did it.' })
  revokedBy!: string;

  @ApiProperty()
  reason!: string;

  @ApiProperty({ ...TIME, description: 'When every token that it could be about has ended anyway; it is deleted after that.' })
  expiresAt!: string;

  @ApiProperty({ ...TIME, nullable: true, description: 'When it was taken back; null while it is in force.' })
  liftedAt!: string | null;
}

@ApiSchema({ name: 'RevocationPage' })
export class RevocationPageResponse {
  @ApiProperty({ type: [RevocationResponse] })
  items!: RevocationResponse[];

  @ApiProperty({ type: String, nullable: true, description: 'For the next page; null at the end.' })
  nextCursor!: string | null;
}

export function showRevocation(revocation: RevocationView): RevocationResponse {
  const { id, kind, value, before, revokedAt, revokedBy, reason, expiresAt, liftedAt } = revocation;
  return {
    id,
    tokenId: kind === 'id' ? value : null,
    subject: kind === 'subject' ? value : null,
    everything: kind === 'tenant',
    before: instantOrNull(before),
    revokedAt: formatInstant(revokedAt),
    revokedBy,
    reason,
    expiresAt: formatInstant(expiresAt),
    liftedAt: instantOrNull(liftedAt),
  };
}

function instantOrNull(ms: number | null): string | null {
  return ms === null ? null : formatInstant(ms);
}
