/** Reads the query of a list of tasks into a filter and a page; nothing is guessed and nothing is passed over. */
import { TASK_LIMITS, TASK_STATES, type TaskFilter, type TaskState } from '@app/tasks';
import { isName } from '../request/field-rules.js';
import { parseInstant } from '../request/instant.js';
import { invalidQuery } from '../request/query-reader.js';
import { readCursor } from './cursor.js';

export const LIST_PARAMETERS = ['state', 'name', 'queue', 'tag', 'createdAfter', 'createdBefore', 'limit', 'cursor'] as const;
export const PAGE_DEFAULT = 50;

export interface ListQuery {
  readonly filter: TaskFilter;
  readonly page: { limit: number; cursor: string | null };
}

type Parameters = ReadonlyMap<string, string>;

/** @throws MalformedRequest `invalid-query`, `invalid-cursor` */
export function readListQuery(parameters: Parameters, tenant: string): ListQuery {
  const filter: TaskFilter = {
    ...optional('state', readState(parameters)),
    ...optional('name', readName(parameters, 'name', TASK_LIMITS.nameLength)),
    ...optional('queue', readName(parameters, 'queue', TASK_LIMITS.queueLength)),
    ...optional('tag', readName(parameters, 'tag', TASK_LIMITS.tagLength)),
    ...optional('createdAfter', readInstant(parameters, 'createdAfter')),
    ...optional('createdBefore', readInstant(parameters, 'createdBefore')),
  };
  if (filter.createdAfter !== undefined && filter.createdBefore !== undefined && filter.createdAfter >= filter.createdBefore) {
    throw invalidQuery('createdBefore', 'must be after createdAfter');
  }
  const cursor = parameters.get('cursor');
  return { filter, page: { limit: readLimit(parameters), cursor: cursor === undefined ? null : readCursor(tenant, filter, cursor) } };
}

function optional<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, V>);
}

function readState(parameters: Parameters): TaskState | undefined {
  const text = parameters.get('state');
  const state = TASK_STATES.find((known) => known === text);
  if (text !== undefined && state === undefined) {
    throw invalidQuery('state', `must be one of ${TASK_STATES.join(', ')}`);
  }
  return state;
}

function readName(parameters: Parameters, name: string, maxLength: number): string | undefined {
  const text = parameters.get(name);
  if (text !== undefined && !isName(text, maxLength)) {
    throw invalidQuery(name, `must be 1 to ${maxLength} of A-Z a-z 0-9 . _ : -`);
  }
  return text;
}

function readInstant(parameters: Parameters, name: string): number | undefined {
  const text = parameters.get(name);
  if (text === undefined) {
    return undefined;
  }
  const instant = parseInstant(text);
  if (instant === null) {
    throw invalidQuery(name, 'must be a time in ISO 8601 with offset, such as 2030-01-31T08:00:00Z (write + as %2B)');
  }
  return instant;
}

function readLimit(parameters: Parameters): number {
  const text = parameters.get('limit');
  if (text === undefined) {
    return PAGE_DEFAULT;
  }
  const limit = /^[1-9][0-9]{0,3}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > TASK_LIMITS.pageMax) {
    throw invalidQuery('limit', `must be a whole number from 1 to ${TASK_LIMITS.pageMax}`);
  }
  return limit;
}
