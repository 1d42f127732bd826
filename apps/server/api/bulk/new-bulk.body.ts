/** What an operation over many tasks may say: what to do, to which tasks, how fast, and why. */
import { ApiProperty, ApiSchema } from '@nestjs/swagger';
import { BULK_ACTIONS, FAILURE_REASONS, TASK_LIMITS, TASK_STATES, type BulkAction, type FailureReason, type TaskState } from '@app/tasks';
import { Nested } from '../request/bind-body.js';
import { BooleanField, ChoiceField, InstantField, IntegerField, isJsonObject, NameField, rule } from '../request/field-rules.js';
import { ReasonField } from '../tasks/operate.body.js';

export const RATE_MAX = 1_000;

@ApiSchema({ name: 'BulkFilter', description: 'Which tasks; at least one field. A task must fit all of them.' })
export class BulkFilterBody {
  @ChoiceField({
    values: TASK_STATES,
    doc: 'For `retry` one of failed (unless given), cancelled, expired; for `cancel` one that is not final (all of them unless given).',
  })
  state?: TaskState;

  @ChoiceField({ values: FAILURE_REASONS, doc: 'Why it failed. Not for `cancel`.' })
  reason?: FailureReason;

  @BooleanField({ doc: 'For `retry` only: `true` takes discarded tasks instead of dead letters.' })
  discarded?: boolean;

  @NameField({ maxLength: TASK_LIMITS.nameLength, doc: 'Which handler runs it.', example: 'echo' })
  name?: string;

  @NameField({ maxLength: TASK_LIMITS.queueLength, doc: 'Where it waits.', example: 'default' })
  queue?: string;

  @NameField({ maxLength: TASK_LIMITS.tagLength, doc: 'One of its tags.', example: 'nightly' })
  tag?: string;

  @InstantField({ doc: 'Inclusive.' })
  createdAfter?: string;

  @InstantField({ doc: 'Exclusive.' })
  createdBefore?: string;
}

@ApiSchema({ name: 'NewBulk' })
export class NewBulkBody {
  @ChoiceField({ values: BULK_ACTIONS, required: true, doc: 'What is done to each task.' })
  action!: BulkAction;

  @Nested(BulkFilterBody)
  @rule('not-an-object', isJsonObject, 'must be an object')
  @ApiProperty({ type: BulkFilterBody })
  filter!: BulkFilterBody;

  @ReasonField(true)
  reason!: string;

  @IntegerField({ min: 1, max: RATE_MAX, doc: 'How many tasks are moved per second; 100 unless configured otherwise.' })
  ratePerSecond?: number;
}
