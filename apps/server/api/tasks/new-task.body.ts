/** What a submission may say about a task: its fields, their bounds and their words in the OpenAPI document. */
import { ApiProperty, ApiPropertyOptional, ApiSchema } from '@nestjs/swagger';
import { Allow } from 'class-validator';
import { BACKOFFS, TASK_LIMITS, type Backoff } from '@app/tasks';
import { Nested } from '../request/bind-body.js';
import {
  ChoiceField,
  field,
  InstantField,
  IntegerField,
  isJsonObject,
  isName,
  isReservedName,
  NameField,
  NumberField,
  rule,
} from '../request/field-rules.js';
import { isIdempotencyKey } from './idempotency.js';

const { durationMsMax, timeoutMsMax, attemptsMax, metadataBytes, tags: tagsMax, tagLength } = TASK_LIMITS;

/** Any JSON value, in words of the document. */
export const ANY_JSON = {
  oneOf: [
    { type: 'object', additionalProperties: true },
    { type: 'array', items: {} },
    { type: 'string' },
    { type: 'number' },
    { type: 'boolean' },
  ],
  nullable: true,
};

@ApiSchema({
  name: 'RetryPolicy',
  description: 'How to pause between attempts. What is absent comes from the handler, then from the configuration.',
})
export class RetryBody {
  @ChoiceField({ values: BACKOFFS, doc: 'How the pause grows.' })
  backoff?: Backoff;

  @IntegerField({ min: 0, max: durationMsMax, doc: 'Pause before the second attempt, in ms.' })
  baseMs?: number;

  @IntegerField({ min: 0, max: durationMsMax, doc: 'Longest pause, in ms; at least `baseMs`.' })
  maxMs?: number;

  @NumberField({ min: 0, max: 1, doc: 'Share of the pause that is random: 0 none, 1 all of it.' })
  jitter?: number;
}

@ApiSchema({ name: 'NewTask' })
export class NewTaskBody {
  @NameField({ maxLength: TASK_LIMITS.nameLength, required: true, doc: 'Which handler runs it.', example: 'echo' })
  name!: string;

  @Allow()
  @ApiPropertyOptional({
    ...ANY_JSON,
    description: 'Any JSON value, handed to the handler as it is; at most 256 KiB unless configured otherwise, at most 32 levels deep.',
    example: { hello: 'world' },
  })
  payload?: unknown;

  @NameField({ maxLength: TASK_LIMITS.queueLength, doc: 'Where it waits; `default` unless given.', example: 'default' })
  queue?: string;

  @IntegerField({ min: TASK_LIMITS.priorityMin, max: TASK_LIMITS.priorityMax, doc: 'Higher first; 0 unless given.' })
  priority?: number;

  @InstantField({ doc: 'Not before this moment. Not together with `delayMs`.' })
  runAt?: string;

  @IntegerField({ min: 0, max: durationMsMax, doc: 'Not before this many ms from now. Not together with `runAt`.' })
  delayMs?: number;

  @IntegerField({ min: 1, max: attemptsMax, doc: 'How often it may fail before it is `failed`, the first attempt included.' })
  maxAttempts?: number;

  @Nested(RetryBody)
  @Allow()
  @ApiPropertyOptional({ type: RetryBody })
  retry?: RetryBody;

  @IntegerField({ min: 1, max: timeoutMsMax, doc: 'Longest run of one attempt, in ms.' })
  timeoutMs?: number;

  @InstantField({ doc: 'Not started by then: the task ends as `expired`.' })
  expiresAt?: string;

  @IntegerField({ min: 1, max: durationMsMax, doc: 'Longest life from creation, retries included, in ms; then it ends as `failed`.' })
  deadlineMs?: number;

  @field(
    { doc: 'Words to find it by: distinct, each 1 to 64 of A-Z a-z 0-9 . _ : -', example: ['nightly'] },
    {
      type: 'array',
      maxItems: tagsMax,
      uniqueItems: true,
      items: { type: 'string', minLength: 1, maxLength: tagLength, pattern: '^[A-Za-z0-9._:-]+$' },
    },
    rule('invalid-tags', areTags, `must be a list of at most ${tagsMax} distinct texts, each of 1 to ${tagLength} of A-Z a-z 0-9 . _ : -`),
  )
  tags?: string[];

  @field(
    { doc: `Facts about the task for people and tools; at most ${metadataBytes} bytes of JSON. Handlers do not get it.` },
    { type: 'object', additionalProperties: true },
    rule('not-an-object', isJsonObject, 'must be an object'),
    rule(
      'too-large',
      (value) => Buffer.byteLength(JSON.stringify(value)) <= metadataBytes,
      `must be at most ${metadataBytes} bytes as JSON`,
    ),
  )
  metadata?: Record<string, unknown>;
}

@ApiSchema({ name: 'NewBatchTask' })
export class NewBatchTaskBody extends NewTaskBody {
  @field(
    { doc: 'What the Idempotency-Key header is to a single submission.' },
    { type: 'string', minLength: 1, maxLength: 255 },
    rule('idempotency-key-invalid', isIdempotencyKey, 'must be 1 to 255 printable ASCII characters, not only spaces'),
  )
  idempotencyKey?: string;
}

@ApiSchema({ name: 'NewBatch' })
export class NewBatchBody {
  @ApiProperty({
    type: [NewBatchTaskBody],
    minItems: 1,
    maxItems: TASK_LIMITS.batchMax,
    description: 'Each is accepted or refused on its own.',
  })
  @rule(
    'out-of-range',
    (value) => Array.isArray(value) && value.length >= 1 && value.length <= TASK_LIMITS.batchMax,
    `must be a list of 1 to ${TASK_LIMITS.batchMax} tasks`,
  )
  tasks!: unknown[];
}

function areTags(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length <= tagsMax &&
    new Set(value).size === value.length &&
    value.every((tag) => isName(tag, tagLength) && !isReservedName(tag))
  );
}
