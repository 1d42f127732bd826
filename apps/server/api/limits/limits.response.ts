/** Limits and what is used of them, as they are shown on the wire. */
import { ApiProperty, ApiSchema } from '@nestjs/swagger';
import { LIMIT_NAMES, type LimitBook, type SetLimit, type TenantLimits, type Usage } from '@app/limits';
import { formatInstant } from '../request/instant.js';

const FIGURES = {
  type: 'object',
  additionalProperties: { type: 'integer' },
} as const;

@ApiSchema({ name: 'QueueUsage' })
export class QueueUsageResponse {
  @ApiProperty()
  name!: string;

  @ApiProperty({ type: 'integer', description: 'Tasks of the queue that have not ended.' })
  used!: number;

  @ApiProperty({ type: 'integer', description: 'How many it may hold.' })
  limit!: number;
}

@ApiSchema({ name: 'Limits' })
export class LimitsResponse {
  @ApiProperty()
  tenant!: string;

  @ApiProperty({ ...FIGURES, description: `What holds for the tenant now, by name: ${LIMIT_NAMES.join(', ')}.` })
  limits!: TenantLimits;

  @ApiProperty({ ...FIGURES, description: 'What is used at this moment of `tasks.queued` and `payload.bytes`.' })
  used!: Readonly<Record<string, number>>;

  @ApiProperty({
    type: [QueueUsageResponse],
    description: 'The queues whose depth is counted, because it has been limited below that of the tenant.',
  })
  queues!: QueueUsageResponse[];
}

@ApiSchema({ name: 'SetLimit' })
export class SetLimitResponse {
  @ApiProperty({ type: String, nullable: true, description: 'null: the whole tenant.' })
  queue!: string | null;

  @ApiProperty({ enum: LIMIT_NAMES })
  name!: string;

  @ApiProperty({ type: 'integer' })
  value!: number;

  @ApiProperty({ type: 'string', format: 'date-time' })
  setAt!: string;

  @ApiProperty({ description: 'The `sub` claim of whoever set it.' })
  setBy!: string;

  @ApiProperty({ description: 'Why, in their words.' })
  reason!: string;
}

@ApiSchema({ name: 'TenantLimits' })
export class TenantLimitsResponse extends LimitsResponse {
  @ApiProperty({ type: [SetLimitResponse], description: 'What has been set for this tenant, by whom and why; at most a thousand.' })
  set!: SetLimitResponse[];
}

export function showLimits(tenant: string, book: Pick<LimitBook, 'of' | 'ofQueue'>, usage: Usage): LimitsResponse {
  return {
    tenant,
    limits: book.of(tenant),
    used: { 'tasks.queued': usage.tasks, 'payload.bytes': usage.payloadBytes },
    queues: [...usage.queues].map(([name, used]) => ({ name, used, limit: book.ofQueue(tenant, name)['queue.depth'] })),
  };
}

export function showSetLimit({ queue, setAt, name, value, setBy, reason }: SetLimit): SetLimitResponse {
  return { queue: queue === '' ? null : queue, name, value, setAt: formatInstant(setAt), setBy, reason };
}
