/** The audit log as it is shown on the wire. */
import { ApiProperty, ApiSchema } from '@nestjs/swagger';
import type { AuditView } from '@app/audit';
import { formatInstant } from '../request/instant.js';

@ApiSchema({ name: 'AuditEntry' })
export class AuditEntryResponse {
  @ApiProperty({ format: 'uuid' })
  id!: string;

  @ApiProperty({ type: 'string', format: 'date-time' })
  at!: string;

  @ApiProperty({ description: 'The `sub` claim of whoever did it.' })
  actor!: string;

  @ApiProperty({ example: 'task.retry' })
  action!: string;

  @ApiProperty({ description: 'What it was done to: the id of a task or of a bulk operation, or the name of a queue.' })
  target!: string;

  @ApiProperty({ description: 'Why, in the words of the actor; empty where nobody said.' })
  reason!: string;

  @ApiProperty({ type: 'object', additionalProperties: true })
  detail!: Readonly<Record<string, unknown>>;
}

@ApiSchema({ name: 'AuditPage' })
export class AuditPageResponse {
  @ApiProperty({ type: [AuditEntryResponse] })
  items!: AuditEntryResponse[];

  @ApiProperty({ type: String, nullable: true, description: 'For the next page; null at the end. A page may be short and still have one.' })
  nextCursor!: string | null;
}

export function showEntry(entry: AuditView): AuditEntryResponse {
  return {
    id: entry.id,
    at: formatInstant(entry.at),
    actor: entry.actor,
    action: entry.action,
    target: entry.target,
    reason: entry.reason,
    detail: entry.detail,
  };
}
