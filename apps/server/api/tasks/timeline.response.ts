/** The life of a task as it is shown on the wire. */
import { ApiProperty, ApiPropertyOptional, ApiSchema } from '@nestjs/swagger';
import { TASK_STATES, TIMELINE_KINDS, type AttemptOutcome, type TaskState, type TimelineKind } from '@app/tasks';
import { OUTCOMES, TaskErrorResponse, TIME } from './task.response.js';

@ApiSchema({ name: 'TimelineItem' })
export class TimelineItemResponse {
  @ApiProperty(TIME)
  at!: string;

  @ApiProperty({ enum: TIMELINE_KINDS })
  kind!: TimelineKind;

  @ApiPropertyOptional({ enum: TASK_STATES, description: 'The state from then on, where it follows from the item alone.' })
  state?: TaskState;

  @ApiPropertyOptional({ type: 'integer' })
  attempt?: number;

  @ApiPropertyOptional()
  workerId?: string;

  @ApiPropertyOptional({ description: 'The `sub` claim of whoever did it; absent where the platform did.' })
  actor?: string;

  @ApiPropertyOptional({ enum: OUTCOMES })
  outcome?: AttemptOutcome;

  @ApiPropertyOptional({ type: TaskErrorResponse })
  error?: TaskErrorResponse;

  @ApiPropertyOptional({ type: 'object', additionalProperties: true, description: 'What else is known; depends on the kind.' })
  detail?: Readonly<Record<string, unknown>>;
}

@ApiSchema({ name: 'Timeline' })
export class TimelineResponse {
  @ApiProperty({ type: [TimelineItemResponse] })
  items!: TimelineItemResponse[];

  @ApiProperty({ description: 'True where there are older items than these.' })
  truncated!: boolean;
}
