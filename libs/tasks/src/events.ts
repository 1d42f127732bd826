/**
 * What happened to a task that no attempt row tells: it was promoted, taken back, asked to stop, sent round again. Each event is
 * written in the transaction of the move it tells of, so the two cannot disagree. With the attempts it makes the timeline.
 */
import { rows, sql, type Dialect, type Sql } from '@app/database';

export const EVENT_KINDS = [
  'promoted',
  'taken_back',
  'poisoned',
  'expired',
  'deadline_passed',
  'unhandled',
  'cancel_requested',
  'cancelled',
  'retried',
  'discarded',
  'fell_back',
] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

const DETAIL_LENGTH_MAX = 2_000;

export interface TaskEvent {
  task: Buffer;
  kind: EventKind;
  /** The `sub` of whoever did it; empty for the platform. */
  actor?: string;
  detail?: Readonly<Record<string, string | number | boolean | null>>;
}

/** One statement for all of them; the times are the database's. */
export function recordEvents(dialect: Dialect, events: readonly TaskEvent[]): Sql[] {
  if (events.length === 0) return [];
  const values = events.map(({ task, kind, actor = '', detail = {} }) => {
    const text = JSON.stringify(detail);
    return [task, dialect.now, kind, actor, text.length > DETAIL_LENGTH_MAX ? '{}' : text];
  });
  // The same kind of thing twice within one millisecond is told once, also where two people asked for it: the audit log tells of both.
  return [
    sql`INSERT INTO task_events (task_id, at, kind, actor, detail) VALUES ${rows(values)}${dialect.keepExisting(['task_id', 'at', 'kind'])}`,
  ];
}
