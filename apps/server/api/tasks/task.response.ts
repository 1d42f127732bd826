/** A task and its attempts as they are shown on the wire. */
import { ApiProperty, ApiSchema } from '@nestjs/swagger';
import { FAILURE_REASONS, TASK_STATES, type AttemptOutcome, type FailureReason, type TaskState } from '@app/tasks';
import { ANY_JSON, RetryBody } from './new-task.body.js';

/** Every outcome; the compiler refuses the list when one is missing. */
export const OUTCOMES = Object.keys({
  succeeded: 0,
  failed: 0,
  timed_out: 0,
  cancelled: 0,
  lost: 0,
  released: 0,
  snoozed: 0,
} satisfies Record<AttemptOutcome, 0>);
export const TIME = { type: 'string', format: 'date-time' } as const;

@ApiSchema({ name: 'TaskError' })
export class TaskErrorResponse {
  @ApiProperty()
  code!: string;

  @ApiProperty()
  message!: string;
}

@ApiSchema({ name: 'TaskProgress' })
export class TaskProgressResponse {
  @ApiProperty({ minimum: 0, maximum: 1 })
  fraction!: number;

  @ApiProperty({ type: String, nullable: true })
  message!: string | null;

  @ApiProperty(TIME)
  updatedAt!: string;
}

@ApiSchema({ name: 'Task' })
export class TaskResponse {
  @ApiProperty({ format: 'uuid', description: 'UUIDv7: sorts by creation.' })
  id!: string;

  @ApiProperty()
  name!: string;

  @ApiProperty()
  queue!: string;

  @ApiProperty({ type: 'integer', minimum: -100, maximum: 100 })
  priority!: number;

  @ApiProperty({ enum: TASK_STATES })
  state!: TaskState;

  @ApiProperty({ enum: FAILURE_REASONS, nullable: true, description: 'Why it is `failed`.' })
  reason!: FailureReason | null;

  @ApiProperty({ description: 'True for a `failed` task that was put aside: it is no dead letter any more.' })
  discarded!: boolean;

  @ApiProperty({ ...ANY_JSON, description: 'As it was submitted, or as the last retry changed it.' })
  payload!: unknown;

  @ApiProperty({ ...ANY_JSON, description: 'What the handler returned.' })
  result!: unknown;

  @ApiProperty({ type: TaskErrorResponse, nullable: true })
  lastError!: TaskErrorResponse | null;

  @ApiProperty({ type: 'integer', description: 'How often it was handed to a worker.' })
  attempt!: number;

  @ApiProperty({ type: 'integer', description: 'How often its handler failed; `maxAttempts` bounds this.' })
  failures!: number;

  @ApiProperty({ type: 'integer', description: 'How often its worker died with it.' })
  crashes!: number;

  @ApiProperty({ type: 'integer', nullable: true, description: 'Null: the handler or the configuration decides.' })
  maxAttempts!: number | null;

  @ApiProperty({ type: RetryBody, nullable: true })
  retry!: RetryBody | null;

  @ApiProperty({ type: TaskProgressResponse, nullable: true })
  progress!: TaskProgressResponse | null;

  @ApiProperty({ type: [String] })
  tags!: readonly string[];

  @ApiProperty({ type: 'object', additionalProperties: true, nullable: true })
  metadata!: Readonly<Record<string, unknown>> | null;

  @ApiProperty({
    description:
      'True where the installation shows content only with the scope `tasks:payload` and the caller lacks it: payload, result, metadata and messages are left out.',
  })
  contentWithheld!: boolean;

  @ApiProperty({ ...TIME, description: 'Not before this moment; the next try while `retrying`.' })
  runAt!: string;

  @ApiProperty({ type: 'integer', nullable: true })
  timeoutMs!: number | null;

  @ApiProperty({ ...TIME, nullable: true })
  expiresAt!: string | null;

  @ApiProperty({ ...TIME, nullable: true })
  deadlineAt!: string | null;

  @ApiProperty({ description: 'True while a running task has been asked to stop.' })
  cancelRequested!: boolean;

  @ApiProperty({ description: 'The `sub` claim of whoever submitted it.' })
  createdBy!: string;

  @ApiProperty(TIME)
  createdAt!: string;

  @ApiProperty(TIME)
  updatedAt!: string;

  @ApiProperty({ ...TIME, nullable: true })
  startedAt!: string | null;

  @ApiProperty({ ...TIME, nullable: true })
  finishedAt!: string | null;
}

@ApiSchema({ name: 'TaskPage' })
export class TaskPageResponse {
  @ApiProperty({ type: [TaskResponse] })
  items!: TaskResponse[];

  @ApiProperty({ type: String, nullable: true, description: 'For the next page; null at the end. A page may be short and still have one.' })
  nextCursor!: string | null;
}

@ApiSchema({ name: 'Attempt' })
export class AttemptResponse {
  @ApiProperty({ type: 'integer' })
  attempt!: number;

  @ApiProperty({ enum: OUTCOMES })
  outcome!: AttemptOutcome;

  @ApiProperty()
  workerId!: string;

  @ApiProperty(TIME)
  startedAt!: string;

  @ApiProperty(TIME)
  finishedAt!: string;

  @ApiProperty({ type: TaskErrorResponse, nullable: true })
  error!: TaskErrorResponse | null;

  @ApiProperty(ANY_JSON)
  result!: unknown;

  @ApiProperty({ description: 'As of a task.' })
  contentWithheld!: boolean;
}

@ApiSchema({ name: 'AttemptList' })
export class AttemptListResponse {
  @ApiProperty({ type: [AttemptResponse] })
  items!: AttemptResponse[];
}
