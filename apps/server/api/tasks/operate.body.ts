/** What an operator may say when sending a task round again, stopping it, putting it aside, and wherever else only a reason fits. */
import { ApiPropertyOptional, ApiSchema } from '@nestjs/swagger';
import { Allow } from 'class-validator';
import type { RetryChange } from '@app/tasks';
import { PayloadTooLarge } from '../problem/api-errors.js';
import { assertAcceptable, bindBody } from '../request/bind-body.js';
import { TextField } from '../request/field-rules.js';
import { ANY_JSON } from './new-task.body.js';

const REASON_LENGTH_MAX = 500;

export const ReasonField = (required = false): PropertyDecorator =>
  TextField({
    maxLength: REASON_LENGTH_MAX,
    required,
    doc: 'Why, in your own words; it is kept in the audit log.',
    example: 'the bank is back',
  });

@ApiSchema({ name: 'Reason' })
export class ReasonBody {
  @ReasonField()
  reason?: string;
}

@ApiSchema({ name: 'RetryTask' })
export class RetryTaskBody extends ReasonBody {
  @Allow()
  @ApiPropertyOptional({
    ...ANY_JSON,
    description: 'Takes the place of the payload, within the same limits as at submission. Another payload drops the checkpoint.',
  })
  payload?: unknown;
}

/** The reason in it, or an empty text. @throws InvalidRequest `validation-failed` */
export function readReason(input: unknown): string {
  return bound(ReasonBody, input).reason ?? '';
}

/** @throws InvalidRequest `validation-failed`; PayloadTooLarge */
export function readRetry(input: unknown, { payloadMaxBytes }: { readonly payloadMaxBytes: number }): RetryChange {
  const { payload, reason } = bound(RetryTaskBody, input);
  if (payload === undefined) {
    return { reason };
  }
  const text = JSON.stringify(payload);
  if (Buffer.byteLength(text) > payloadMaxBytes) {
    throw new PayloadTooLarge(payloadMaxBytes);
  }
  return { payload: text, reason };
}

function bound<T extends object>(type: new () => T, input: unknown): T {
  const { value, problems } = bindBody(type, input === undefined ? {} : input);
  assertAcceptable(problems);
  return value;
}
