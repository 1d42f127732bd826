/** The summary of the dead letters as it is shown on the wire. */
import { ApiProperty, ApiSchema } from '@nestjs/swagger';
import { FAILURE_REASONS, type DeadLetterSummary, type FailureReason } from '@app/tasks';
import { formatInstant } from '../request/instant.js';

const TIME = { type: 'string', format: 'date-time' } as const;

@ApiSchema({ name: 'DeadLetterGroup' })
export class DeadLetterGroupResponse {
  @ApiProperty({ enum: FAILURE_REASONS })
  reason!: FailureReason;

  @ApiProperty()
  name!: string;

  @ApiProperty()
  queue!: string;

  @ApiProperty({ type: 'integer' })
  count!: number;

  @ApiProperty(TIME)
  oldestFinishedAt!: string;

  @ApiProperty(TIME)
  newestFinishedAt!: string;
}

@ApiSchema({ name: 'DeadLetterSummary' })
export class DeadLetterSummaryResponse {
  @ApiProperty({ type: 'integer', description: 'Dead letters that were counted, the newest first.' })
  total!: number;

  @ApiProperty({ type: 'integer', description: 'Where `total` has reached this there may be more.' })
  countedUpTo!: number;

  @ApiProperty({ type: [DeadLetterGroupResponse], description: 'The largest first, 500 at most.' })
  items!: DeadLetterGroupResponse[];
}

export function showSummary({ total, countedUpTo, groups }: DeadLetterSummary): DeadLetterSummaryResponse {
  const items = groups.map((group) => ({
    reason: group.reason,
    name: group.name,
    queue: group.queue,
    count: group.count,
    oldestFinishedAt: formatInstant(group.oldestFinishedAt),
    newestFinishedAt: formatInstant(group.newestFinishedAt),
  }));
  return { total, countedUpTo, items };
}
