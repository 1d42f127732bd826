/** What setting limits may say: for the whole tenant or one queue of it, which values, and why. */
import { ApiProperty, ApiSchema } from '@nestjs/swagger';
import type { Principal } from '@app/auth';
import type { FieldProblem } from '@app/errors';
import { LIMIT_BOUNDS, QUEUE_LIMIT, type LimitChange, type LimitName } from '@app/limits';
import { TASK_LIMITS } from '@app/tasks';
import { assertAcceptable, bindBody, Nested } from '../request/bind-body.js';
import { field, isJsonObject, NameField, rule } from '../request/field-rules.js';
import { ReasonField } from '../tasks/operate.body.js';

function LimitField(name: LimitName, doc: string): PropertyDecorator {
  const { min, max } = LIMIT_BOUNDS[name];
  const accepts = (value: unknown): boolean => value === null || (Number.isInteger(value) && Number(value) >= min && Number(value) <= max);
  return field(
    { doc },
    { type: 'integer', minimum: min, maximum: max, nullable: true },
    rule('out-of-range', accepts, `must be a whole number from ${min} to ${max}, or null to remove it`),
  );
}

@ApiSchema({ name: 'LimitValues', description: 'At least one; null removes it.' })
export class LimitValuesBody {
  @LimitField('tasks.queued', 'Tasks of the tenant that have not ended.')
  'tasks.queued'?: number | null;

  @LimitField('tasks.running', 'Tasks of the tenant that run at the same time.')
  'tasks.running'?: number | null;

  @LimitField('payload.bytes', 'Bytes of the payloads of its tasks that have not ended.')
  'payload.bytes'?: number | null;

  @LimitField('queue.depth', 'Tasks of one of its queues that have not ended. The only limit that one queue can have to itself.')
  'queue.depth'?: number | null;

  @LimitField('requests.perMinute', 'Requests in a minute.')
  'requests.perMinute'?: number | null;

  @LimitField('requests.burst', 'Requests at once.')
  'requests.burst'?: number | null;

  @LimitField('weight', 'The share of the tenant where several have tasks waiting.')
  weight?: number | null;
}

@ApiSchema({ name: 'NewLimits' })
export class NewLimitsBody {
  @NameField({ maxLength: TASK_LIMITS.queueLength, doc: 'Only for this queue of the tenant; the whole tenant unless given.' })
  queue?: string;

  @Nested(LimitValuesBody)
  @rule('not-an-object', isJsonObject, 'must be an object')
  @ApiProperty({ type: LimitValuesBody })
  limits!: LimitValuesBody;

  @ReasonField(true)
  reason!: string;
}

/** @throws InvalidRequest `validation-failed` */
export function readNewLimits(input: unknown, tenant: string, caller: Principal): LimitChange {
  const { value: body, problems } = bindBody(NewLimitsBody, input);
  assertAcceptable(problems.length > 0 ? problems : problemsOf(body));
  return {
    tenant,
    queue: body.queue ?? '',
    limits: Object.fromEntries(Object.entries(body.limits).filter(([, value]) => value !== undefined)),
    actor: caller.subject,
    actorTenant: caller.tenant,
    reason: body.reason,
  };
}

function problemsOf({ queue, limits }: NewLimitsBody): FieldProblem[] {
  const named = Object.entries(limits).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (named.length === 0) return [{ pointer: '/limits', code: 'no-limits', message: 'must name at least one limit' }];
  if (queue === undefined) return [];
  return named
    .filter((name) => name !== QUEUE_LIMIT)
    .map((name) => ({
      pointer: `/limits/${name}`,
      code: 'conflicting-fields',
      message: `is for the whole tenant; a queue only has ${QUEUE_LIMIT}`,
    }));
}
