/** A queue as it is shown on the wire. */
import { ApiProperty, ApiSchema } from '@nestjs/swagger';
import type { QueueView } from '@app/tasks';
import { formatInstant } from '../request/instant.js';

@ApiSchema({ name: 'QueueDepth' })
export class QueueDepthResponse {
  @ApiProperty({ type: 'integer' })
  scheduled!: number;

  @ApiProperty({ type: 'integer' })
  queued!: number;

  @ApiProperty({ type: 'integer' })
  running!: number;

  @ApiProperty({ type: 'integer' })
  retrying!: number;

  @ApiProperty({ type: 'integer', description: 'Dead letters awaiting an operator.' })
  failed!: number;
}

@ApiSchema({ name: 'Queue' })
export class QueueResponse {
  @ApiProperty()
  name!: string;

  @ApiProperty({ description: 'While true no worker takes tasks of this tenant from it; submitting still works.' })
  paused!: boolean;

  @ApiProperty({ type: 'string', format: 'date-time', nullable: true })
  pausedAt!: string | null;

  @ApiProperty({ type: String, nullable: true })
  pausedBy!: string | null;

  @ApiProperty({ type: QueueDepthResponse, description: 'Tasks of the tenant per state.' })
  depth!: QueueDepthResponse;

  @ApiProperty({ type: 'integer', description: 'A figure of `depth` that has reached this may be larger.' })
  countedUpTo!: number;

  @ApiProperty({ type: 'integer', nullable: true, description: 'Age of the oldest queued task, in ms.' })
  oldestQueuedAgeMs!: number | null;
}

@ApiSchema({ name: 'QueueList' })
export class QueueListResponse {
  @ApiProperty({ type: [QueueResponse] })
  items!: QueueResponse[];
}

export function showQueue(queue: QueueView): QueueResponse {
  return {
    name: queue.name,
    paused: queue.paused,
    pausedAt: queue.pausedAt === null ? null : formatInstant(queue.pausedAt),
    pausedBy: queue.pausedBy,
    depth: queue.depth,
    countedUpTo: queue.countedUpTo,
    oldestQueuedAgeMs: queue.oldestQueuedAgeMs,
  };
}
