/** Turns the parsed body into a `NewBulk`, or refuses it with every problem at once: an operation that would move nothing is a mistake. */
import type { Principal } from '@app/auth';
import type { FieldProblem } from '@app/errors';
import { isFinal, mayMove, type BulkAction, type NewBulk, type TaskFilter, type TaskState } from '@app/tasks';
import { assertAcceptable, bindBody } from '../request/bind-body.js';
import { parseInstant } from '../request/instant.js';
import { idempotencyClaim } from '../tasks/idempotency.js';
import { NewBulkBody, type BulkFilterBody } from './new-bulk.body.js';

/** @throws InvalidRequest `validation-failed` */
export function readNewBulk(input: unknown, key: string | null, caller: Principal, ratePerSecond: number): NewBulk {
  const { value: body, problems } = bindBody(NewBulkBody, input);
  assertAcceptable(problems.length > 0 ? problems : problemsOf(body.action, body.filter));
  return {
    tenant: caller.tenant,
    action: body.action,
    filter: filterOf(body.filter),
    reason: body.reason,
    ratePerSecond: body.ratePerSecond ?? ratePerSecond,
    requestedBy: caller.subject,
    // A line break is in no key, so this is the key of no task; inside, because keys are trimmed.
    idempotency: key === null ? null : idempotencyClaim(`bulk\n${key}`, body),
  };
}

function filterOf({ createdAfter, createdBefore, ...words }: BulkFilterBody): TaskFilter {
  const times = { createdAfter: parseInstant(createdAfter), createdBefore: parseInstant(createdBefore) };
  return Object.fromEntries(Object.entries({ ...words, ...times }).filter(([, value]) => value !== undefined && value !== null));
}

/** Why no task of this state can be meant; null where it can. */
function refusalOf(action: BulkAction, state: TaskState): string | null {
  switch (action) {
    case 'retry':
      return mayMove(state, 'queued', 'operator') ? null : 'only failed, cancelled and expired tasks can be retried';
    case 'cancel':
      return isFinal(state) ? 'only tasks that are not finished can be cancelled' : null;
    case 'discard':
      return state === 'failed' ? null : 'only failed tasks can be discarded';
  }
}

function problemsOf(action: BulkAction, filter: BulkFilterBody): FieldProblem[] {
  const { state, reason, discarded } = filter;
  const problems: FieldProblem[] = [];
  if (Object.values(filter).every((value) => value === undefined)) {
    problems.push({ pointer: '/filter', code: 'empty-filter', message: 'must name at least one field' });
  }
  const refusal = state === undefined ? null : refusalOf(action, state);
  if (refusal !== null) {
    problems.push({ pointer: '/filter/state', code: 'conflicting-fields', message: refusal });
  }
  const isAboutFailed = action !== 'cancel' && (state ?? 'failed') === 'failed';
  if (reason !== undefined && !isAboutFailed) {
    problems.push({ pointer: '/filter/reason', code: 'conflicting-fields', message: 'only failed tasks have a reason' });
  }
  if (discarded !== undefined && (action !== 'retry' || !isAboutFailed)) {
    problems.push({ pointer: '/filter/discarded', code: 'conflicting-fields', message: 'is for retrying failed tasks only' });
  }
  const [after, before] = [parseInstant(filter.createdAfter), parseInstant(filter.createdBefore)];
  if (after !== null && before !== null && after >= before) {
    problems.push({ pointer: '/filter/createdBefore', code: 'conflicting-fields', message: 'must be after createdAfter' });
  }
  return problems;
}
