/** Reads a task id from a path: a UUID in either case, normalised to lower case. */
import { Injectable, type PipeTransform } from '@nestjs/common';
import { InvalidId } from '../problem/api-errors.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function isTaskId(text: string): boolean {
  return UUID.test(text);
}

@Injectable()
export class TaskId implements PipeTransform<string, string> {
  /** @throws InvalidId */
  transform(text: string): string {
    const id = text.toLowerCase();
    if (!isTaskId(id)) {
      throw new InvalidId();
    }
    return id;
  }
}
