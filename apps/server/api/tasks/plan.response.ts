/** What a submission that was only tried would have become. */
import { ApiProperty, ApiPropertyOptional, ApiSchema } from '@nestjs/swagger';
import { BACKOFFS, type Backoff } from '@app/tasks';
import type { Problem } from '../problem/problem.js';
import { ProblemResponse } from '../problem/problem.response.js';
import { TIME } from './task.response.js';

@ApiSchema({ name: 'EffectiveRetry' })
export class EffectiveRetryResponse {
  @ApiProperty({ enum: BACKOFFS })
  backoff!: Backoff;

  @ApiProperty({ type: 'integer' })
  baseMs!: number;

  @ApiProperty({ type: 'integer' })
  maxMs!: number;

  @ApiProperty({ minimum: 0, maximum: 1 })
  jitter!: number;
}

@ApiSchema({ name: 'QuotaState', description: 'What the quotas leave at this moment. Others may take it before the task comes.' })
export class QuotaStateResponse {
  @ApiProperty({ description: 'Whether this task alone would fit.' })
  fits!: boolean;

  @ApiProperty({ type: 'integer', minimum: 0, description: 'How many more tasks of the tenant may be there that have not ended.' })
  tasksLeft!: number;

  @ApiProperty({ type: 'integer', minimum: 0, description: 'How many more bytes their payloads may have.' })
  payloadBytesLeft!: number;

  @ApiProperty({ type: 'integer', minimum: 0, description: 'How many more tasks the queue may hold.' })
  queueLeft!: number;
}

@ApiSchema({ name: 'TaskPlan', description: 'The answer to `dryRun=true`: nothing was stored.' })
export class TaskPlanResponse {
  @ApiProperty({ enum: [true] })
  dryRun!: true;

  @ApiProperty()
  name!: string;

  @ApiProperty({
    description:
      'Whether this process knows the handler. If not, its policy and its schema could not be looked at; a worker may have both.',
  })
  handlerKnown!: boolean;

  @ApiProperty()
  queue!: string;

  @ApiProperty({ description: 'Nothing is taken from the queue at the moment.' })
  queuePaused!: boolean;

  @ApiProperty({ type: 'integer', minimum: -100, maximum: 100 })
  priority!: number;

  @ApiProperty({ enum: ['queued', 'scheduled'], description: 'The first state.' })
  state!: 'queued' | 'scheduled';

  @ApiProperty({ ...TIME, nullable: true, description: 'As asked for.' })
  runAt!: string | null;

  @ApiProperty({ type: 'integer', nullable: true, description: 'As asked for.' })
  delayMs!: number | null;

  @ApiProperty({ type: 'integer' })
  maxAttempts!: number;

  @ApiProperty({ type: EffectiveRetryResponse })
  retry!: EffectiveRetryResponse;

  @ApiProperty({ type: 'integer' })
  timeoutMs!: number;

  @ApiProperty({ ...TIME, nullable: true })
  expiresAt!: string | null;

  @ApiProperty({ type: 'integer', nullable: true })
  deadlineMs!: number | null;

  @ApiProperty({ type: 'integer', description: 'Size of the payload as it would be stored.' })
  payloadBytes!: number;

  @ApiProperty({ type: QuotaStateResponse })
  quota!: QuotaStateResponse;

  @ApiProperty({ type: String, format: 'uuid', nullable: true, description: 'The task that the idempotency key would answer with.' })
  replayOf!: string | null;
}

@ApiSchema({ name: 'BatchPlanItem' })
export class BatchPlanItemResponse {
  @ApiProperty({ type: 'integer', description: '200, or the status of the problem.' })
  status!: number;

  @ApiPropertyOptional({ type: TaskPlanResponse })
  plan?: TaskPlanResponse;

  @ApiPropertyOptional({ type: ProblemResponse })
  problem?: Problem;
}

@ApiSchema({ name: 'BatchPlan' })
export class BatchPlanResponse {
  @ApiProperty({ type: [BatchPlanItemResponse], description: 'One per task of the request, in the same order, each by itself.' })
  items!: BatchPlanItemResponse[];
}
