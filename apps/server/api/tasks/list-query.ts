/** Reads the query of a list of tasks into a filter and a page; nothing is guessed and nothing is passed over. */
import { FAILURE_REASONS, TASK_LIMITS, TASK_STATES, type TaskFilter } from '@app/tasks';
import { isName } from '../request/field-rules.js';
import { parseInstant } from '../request/instant.js';
import { invalidQuery } from '../request/query-reader.js';
import { readCursor } from './cursor.js';

const PAGE_PARAMETERS = ['limit', 'cursor'] as const;
const FILTER_PARAMETERS = ['reason', 'name', 'queue', 'tag', 'createdAfter', 'createdBefore'] as const;
export const LIST_PARAMETERS = ['state', 'discarded', ...FILTER_PARAMETERS, ...PAGE_PARAMETERS] as const;
export const DEAD_LETTER_PARAMETERS = [...FILTER_PARAMETERS, ...PAGE_PARAMETERS] as const;
export const PAGE_DEFAULT = 50;

export interface ListQuery {
  readonly filter: TaskFilter;
  readonly page: PageQuery;
}

export interface PageQuery {
  limit: number;
  cursor: string | null;
}

type Parameters = ReadonlyMap<string, string>;

/**
 * `fixed`: what the route itself says of the tasks; its parameters cannot change it.
 * @throws MalformedRequest `invalid-query`, `invalid-cursor`
 */
export function readListQuery(parameters: Parameters, tenant: string, fixed: TaskFilter = {}): ListQuery {
  const filter: TaskFilter = {
    ...optional('state', readWord(parameters, 'state', TASK_STATES)),
    ...optional('discarded', readBoolean(parameters, 'discarded')),
    ...optional('reason', readWord(parameters, 'reason', FAILURE_REASONS)),
    ...optional('name', readName(parameters, 'name', TASK_LIMITS.nameLength)),
    ...optional('queue', readName(parameters, 'queue', TASK_LIMITS.queueLength)),
    ...optional('tag', readName(parameters, 'tag', TASK_LIMITS.tagLength)),
    ...optional('createdAfter', readInstant(parameters, 'createdAfter')),
    ...optional('createdBefore', readInstant(parameters, 'createdBefore')),
    ...fixed,
  };
  if (filter.createdAfter !== undefined && filter.createdBefore !== undefined && filter.createdAfter >= filter.createdBefore) {
    throw invalidQuery('createdBefore', 'must be after createdAfter');
  }
  return { filter, page: readPage(parameters, tenant, filter) };
}

/**
 * `list` tells this list from every other: a cursor of it is good for nothing else.
 * @throws MalformedRequest `invalid-query`, `invalid-cursor`
 */
export function readPage(parameters: Parameters, tenant: string, list: object): PageQuery {
  const cursor = parameters.get('cursor');
  return { limit: readLimit(parameters), cursor: cursor === undefined ? null : readCursor(tenant, list, cursor) };
}

function optional<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, V>);
}

function readWord<W extends string>(parameters: Parameters, name: string, words: readonly W[]): W | undefined {
  const text = parameters.get(name);
  const word = words.find((known) => known === text);
  if (text !== undefined && word === undefined) {
    throw invalidQuery(name, `must be one of ${words.join(', ')}`);
  }
  return word;
}

function readBoolean(parameters: Parameters, name: string): boolean | undefined {
  const text = readWord(parameters, name, ['true', 'false']);
  return text === undefined ? undefined : text === 'true';
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
