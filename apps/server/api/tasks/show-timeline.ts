/** Turns the items of a timeline into what the wire shows: every time as ISO 8601, those among the details too. */
import type { TimelineItem } from '@app/tasks';
import { formatInstant } from '../request/instant.js';
import type { Sight } from './content-scope.js';
import { showError } from './show-task.js';
import type { TimelineItemResponse } from './timeline.response.js';

export function showTimelineItem({ at, detail, error, ...rest }: TimelineItem, sight: Sight): TimelineItemResponse {
  return {
    at: formatInstant(at),
    ...rest,
    ...(error && { error: showError(error, sight) }),
    ...(detail && { detail: showDetail(detail) }),
  };
}

/** By the rule of the whole API, a field whose name ends in `At` is an instant. */
function showDetail(detail: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const shown = Object.entries(detail).map(([name, value]) => [
    name,
    name.endsWith('At') && typeof value === 'number' ? formatInstant(value) : value,
  ]);
  return Object.fromEntries(shown) as Record<string, unknown>;
}
