/** An operation over many tasks as it is shown on the wire. */
import { ApiProperty, ApiSchema } from '@nestjs/swagger';
import { BULK_ACTIONS, BULK_STATES, type BulkAction, type BulkState, type BulkView } from '@app/tasks';
import { formatInstant } from '../request/instant.js';
import { BulkFilterBody } from './new-bulk.body.js';

const TIME = { type: 'string', format: 'date-time' } as const;

@ApiSchema({ name: 'Bulk' })
export class BulkResponse {
  @ApiProperty({ format: 'uuid' })
  id!: string;

  @ApiProperty({ enum: BULK_ACTIONS })
  action!: BulkAction;

  @ApiProperty({ type: BulkFilterBody })
  filter!: BulkFilterBody;

  @ApiProperty({ enum: BULK_STATES })
  state!: BulkState;

  @ApiProperty({ type: 'integer' })
  ratePerSecond!: number;

  @ApiProperty({ type: 'integer', description: 'Tasks that were looked at so far.' })
  examined!: number;

  @ApiProperty({ type: 'integer', description: 'Tasks that were retried, cancelled (or asked to stop), or discarded.' })
  done!: number;

  @ApiProperty({
    type: 'integer',
    description: 'Tasks that had changed when their turn came, or had been asked to stop before, and were left alone.',
  })
  skipped!: number;

  @ApiProperty({ description: 'The `sub` claim of whoever started it.' })
  requestedBy!: string;

  @ApiProperty()
  reason!: string;

  @ApiProperty({ type: String, nullable: true, description: 'Why it `failed`.' })
  error!: string | null;

  @ApiProperty(TIME)
  createdAt!: string;

  @ApiProperty(TIME)
  updatedAt!: string;

  @ApiProperty({ ...TIME, nullable: true })
  finishedAt!: string | null;
}

@ApiSchema({ name: 'BulkPage' })
export class BulkPageResponse {
  @ApiProperty({ type: [BulkResponse] })
  items!: BulkResponse[];

  @ApiProperty({ type: String, nullable: true, description: 'For the next page; null at the end.' })
  nextCursor!: string | null;
}

export function showBulk(bulk: BulkView): BulkResponse {
  const { createdAfter, createdBefore, ...words } = bulk.filter;
  return {
    id: bulk.id,
    action: bulk.action,
    filter: {
      ...words,
      ...(createdAfter === undefined ? {} : { createdAfter: formatInstant(createdAfter) }),
      ...(createdBefore === undefined ? {} : { createdBefore: formatInstant(createdBefore) }),
    },
    state: bulk.state,
    ratePerSecond: bulk.ratePerSecond,
    examined: bulk.examined,
    done: bulk.done,
    skipped: bulk.skipped,
    requestedBy: bulk.requestedBy,
    reason: bulk.reason,
    error: bulk.error,
    createdAt: formatInstant(bulk.createdAt),
    updatedAt: formatInstant(bulk.updatedAt),
    finishedAt: bulk.finishedAt === null ? null : formatInstant(bulk.finishedAt),
  };
}
