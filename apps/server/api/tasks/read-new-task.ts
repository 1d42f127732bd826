/**
 * Turns the parsed body of a submission into a `NewTask`, or refuses it with every problem at once. Rules that look at two
 * fields stand here; rules for one field stand beside the field.
 */
import type { Principal } from '@app/auth';
import type { FieldProblem } from '@app/errors';
import type { NewTask, RetryPolicy } from '@app/tasks';
import { PayloadTooLarge } from '../problem/api-errors.js';
import { assertAcceptable, bindBody } from '../request/bind-body.js';
import { parseInstant } from '../request/instant.js';
import { idempotencyClaim } from './idempotency.js';
import type { PayloadRules } from './payload-rules.js';
import { NewBatchTaskBody, NewTaskBody } from './new-task.body.js';

export type SubmissionLimits = Pick<PayloadRules, 'payloadMaxBytes' | 'assertFits'>;

const DEFAULT_QUEUE = 'default';
const REFUSED = { callback: 'is not available in this version; read the outcome from the task instead' };

/** @throws InvalidRequest `validation-failed`, `payload-invalid`; PayloadTooLarge */
export function readNewTask(input: unknown, key: string | null, caller: Principal, limits: SubmissionLimits): NewTask {
  const { value, problems } = bindBody(NewTaskBody, input, '', REFUSED);
  return toNewTask(value, [...problems, ...crossFieldProblems(value, '')], '', key, caller, limits);
}

/** The same for one task of a batch; `pointer` is its place in the request. */
export function readBatchTask(input: unknown, pointer: string, caller: Principal, limits: SubmissionLimits): NewTask {
  const { value, problems } = bindBody(NewBatchTaskBody, input, pointer, REFUSED);
  const { idempotencyKey = null, ...body } = value;
  return toNewTask(body, [...problems, ...crossFieldProblems(body, pointer)], pointer, idempotencyKey, caller, limits);
}

function toNewTask(
  body: NewTaskBody,
  problems: readonly FieldProblem[],
  pointer: string,
  key: string | null,
  caller: Principal,
  limits: SubmissionLimits,
): NewTask {
  assertAcceptable(problems);
  const payload = body.payload === undefined ? 'null' : JSON.stringify(body.payload);
  if (Buffer.byteLength(payload) > limits.payloadMaxBytes) {
    throw new PayloadTooLarge(limits.payloadMaxBytes);
  }
  limits.assertFits(body.name, body.payload ?? null, `${pointer}/payload`);
  return {
    tenant: caller.tenant,
    name: body.name,
    queue: body.queue ?? DEFAULT_QUEUE,
    priority: body.priority ?? 0,
    payload,
    runAt: parseInstant(body.runAt),
    delayMs: body.delayMs ?? null,
    maxAttempts: body.maxAttempts ?? null,
    retry: body.retry === undefined ? null : retryPolicy(body.retry),
    timeoutMs: body.timeoutMs ?? null,
    expiresAt: parseInstant(body.expiresAt),
    deadlineMs: body.deadlineMs ?? null,
    tags: body.tags ?? [],
    metadata: body.metadata ?? null,
    createdBy: caller.subject,
    idempotency: key === null ? null : idempotencyClaim(key, body),
  };
}

/** A plain object without the absent fields, so that what is stored is what was said. */
function retryPolicy(body: RetryPolicy): RetryPolicy {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}

function crossFieldProblems(body: NewTaskBody, pointer: string): FieldProblem[] {
  const problems: FieldProblem[] = [];
  if (body.runAt !== undefined && body.delayMs !== undefined) {
    problems.push({ pointer: `${pointer}/delayMs`, code: 'conflicting-fields', message: 'give runAt or delayMs, not both' });
  }
  const runAt = parseInstant(body.runAt);
  const expiresAt = parseInstant(body.expiresAt);
  if (runAt !== null && expiresAt !== null && expiresAt <= runAt) {
    problems.push({ pointer: `${pointer}/expiresAt`, code: 'conflicting-fields', message: 'must be after runAt' });
  }
  const { baseMs, maxMs } = body.retry ?? {};
  if (typeof baseMs === 'number' && typeof maxMs === 'number' && baseMs > maxMs) {
    problems.push({ pointer: `${pointer}/retry/maxMs`, code: 'conflicting-fields', message: 'must not be less than baseMs' });
  }
  return problems;
}
