/** Turns the parsed body into a `NewRevocation`, or refuses it with every problem at once: whom it concerns must be said exactly once. */
import type { NewRevocation, Principal } from '@app/auth';
import type { FieldProblem } from '@app/errors';
import { assertAcceptable, bindBody } from '../request/bind-body.js';
import { parseInstant } from '../request/instant.js';
import { NewRevocationBody } from './new-revocation.body.js';

/**
 * @param latest the latest moment that `before` may name, in ms since the epoch
 * @throws InvalidRequest `validation-failed`
 */
export function readNewRevocation(input: unknown, { tenant, subject: actor }: Principal, latest: number): NewRevocation {
  const { value: body, problems } = bindBody(NewRevocationBody, input);
  assertAcceptable(problems.length > 0 ? problems : problemsOf(body, latest));
  const { tokenId, subject, reason } = body;
  const before = parseInstant(body.before);
  if (tokenId !== undefined) return { tenant, kind: 'id', value: tokenId, before: null, actor, reason };
  if (subject !== undefined) return { tenant, kind: 'subject', value: subject, before, actor, reason };
  return { tenant, kind: 'tenant', value: '', before, actor, reason };
}

function problemsOf({ tokenId, subject, everything, before }: NewRevocationBody, latest: number): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const named = [tokenId, subject, everything].filter((value) => value !== undefined).length;
  if (named !== 1) {
    problems.push({ pointer: '', code: 'conflicting-fields', message: 'must have exactly one of tokenId, subject and everything' });
  }
  if (tokenId !== undefined && before !== undefined) {
    problems.push({ pointer: '/before', code: 'conflicting-fields', message: 'is for subject and everything only' });
  }
  if ((parseInstant(before) ?? 0) > latest) {
    problems.push({ pointer: '/before', code: 'out-of-range', message: 'must not be in the future' });
  }
  return problems;
}
