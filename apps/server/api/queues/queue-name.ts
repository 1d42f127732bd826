/** Reads a queue's name from a path, with the same rule as in a body. */
import { Injectable, type PipeTransform } from '@nestjs/common';
import { InvalidRequest } from '@app/errors';
import { TASK_LIMITS } from '@app/tasks';
import { isName, isReservedName } from '../request/field-rules.js';

@Injectable()
export class QueueName implements PipeTransform<string, string> {
  /** @throws InvalidRequest `validation-failed` */
  transform(name: string): string {
    if (isReservedName(name)) {
      throw refused('reserved-name', 'is a reserved word');
    }
    if (!isName(name, TASK_LIMITS.queueLength)) {
      throw refused('invalid-name', `must be 1 to ${TASK_LIMITS.queueLength} of A-Z a-z 0-9 . _ : -`);
    }
    return name;
  }
}

function refused(code: string, message: string): InvalidRequest {
  return new InvalidRequest('validation-failed', `The name of the queue in the path ${message}.`, [{ pointer: 'name', code, message }]);
}
