/**
 * Tells the life of one task, oldest first: its row, its attempts and its events in one list. Nothing is stored for it that is
 * not stored anyway, so a task that simply succeeds costs no row more.
 *
 * The order is that of cause, which times alone do not give: whole lives fit into a millisecond, a claim that waited for a lock
 * carries the time at which it began to wait, and clocks are set back. So it goes by rounds first (a claim opens one), within a
 * round by what can only follow what, and only then by time.
 */
import { type Database, idBytes, idText, NOBODY, sql } from '@app/database';
import { NotFound } from '@app/errors';
import type { AttemptRow, TaskRow } from './entities.js';
import type { EventKind } from './events.js';
import type { AttemptOutcome, TaskState } from './states.js';
import type { TaskError } from './task.js';

/** Items of one answer: the latest so many. */
const ITEMS_MAX = 1_000;

/** Besides the events: the beginning, the attempts, and the end as it stands. In the order in which they can follow each other. */
export const TIMELINE_KINDS = [
  'submitted',
  'started',
  'cancel_requested',
  'ended',
  'taken_back',
  'poisoned',
  'fell_back',
  'retried',
  'promoted',
  'expired',
  'deadline_passed',
  'unhandled',
  'cancelled',
  'finished',
  'discarded',
] as const satisfies readonly (EventKind | 'submitted' | 'started' | 'ended' | 'finished')[];
export type TimelineKind = (typeof TIMELINE_KINDS)[number];

export type TimelineDetail = Readonly<Record<string, unknown>>;

export interface TimelineItem {
  /** ms since the epoch by the database's clock. */
  at: number;
  kind: TimelineKind;
  /** The state that the task was in from then on, where that follows from the item alone. */
  state?: TaskState;
  attempt?: number;
  workerId?: string;
  /** The `sub` of whoever did it; absent for the platform. */
  actor?: string;
  outcome?: AttemptOutcome;
  error?: TaskError;
  detail?: TimelineDetail;
}

export interface Timeline {
  /** Oldest first, the latest 1,000. */
  items: TimelineItem[];
  /** True where there are older items than these. */
  truncated: boolean;
}

type Told = Pick<AttemptRow, 'attempt' | 'outcome' | 'worker_id' | 'started_at' | 'finished_at' | 'error_code' | 'error_message'>;

interface EventRow {
  at: number;
  kind: EventKind;
  actor: string;
  detail: string;
}

/** An item with its round: the number of the claim that opened it, 0 before the first. */
interface Placed {
  round: number;
  item: TimelineItem;
}

/** Where in its round: what opens it, what happens meanwhile, what closes it; everything else comes after that. */
const STAGES: Partial<Record<TimelineKind, number>> = { submitted: 0, started: 1, cancel_requested: 2, ended: 3, finished: 5 };
const AFTERWARDS = 4;
const AFTER_THE_END = 6;

const STATE_AFTER: Partial<Record<EventKind, TaskState>> = {
  promoted: 'queued',
  poisoned: 'failed',
  expired: 'expired',
  deadline_passed: 'failed',
  unhandled: 'failed',
  cancelled: 'cancelled',
  retried: 'queued',
  fell_back: 'queued',
  discarded: 'failed',
};
const STATE_AFTER_END: Partial<Record<AttemptOutcome, TaskState>> = { succeeded: 'succeeded', cancelled: 'cancelled', snoozed: 'retrying' };
const ABOUT_AN_ATTEMPT: ReadonlySet<EventKind> = new Set(['cancel_requested', 'taken_back', 'poisoned', 'fell_back'] as const);
/** Ends that no worker made are told by an event and by an attempt row of nobody, which says why. */
const TOLD_BY_NOBODY: ReadonlySet<EventKind> = new Set(['deadline_passed', 'unhandled'] as const);

export class TaskTimeline {
  constructor(private readonly database: Database) {}

  /** Throws NotFound, also for another tenant's task. */
  async of(tenant: string, id: string): Promise<Timeline> {
    const bytes = idBytes(id);
    if (bytes === null) throw new NotFound('task');
    const [task] = await this.database.query<TaskRow>(
      sql`SELECT id, state, reason, attempt, worker_id, run_at, created_at, started_at, finished_at, created_by FROM tasks WHERE id = ${bytes} AND tenant = ${tenant}`,
    );
    if (task === undefined) throw new NotFound('task');
    const latest = sql`LIMIT ${ITEMS_MAX + 1}`;
    const [attempts, events] = await Promise.all([
      this.database.query<Told>(
        sql`SELECT attempt, outcome, worker_id, started_at, finished_at, error_code, error_message FROM attempts WHERE task_id = ${bytes} ORDER BY attempt DESC ${latest}`,
      ),
      this.database.query<EventRow>(
        sql`SELECT at, kind, actor, detail FROM task_events WHERE task_id = ${bytes} ORDER BY at DESC, kind DESC ${latest}`,
      ),
    ]);
    const runs = this.runs(task, attempts.reverse());
    const told = events.map((row) => placeOf(row, runs, attempts));
    const closing = end(task);
    const placed = [submission(task, runs, told), ...runs, ...told, ...closing].sort(inOrder(closing[0], [...runs, ...told]));
    return { items: placed.slice(-ITEMS_MAX).map(({ item }) => item), truncated: placed.length > ITEMS_MAX };
  }

  /** Each run of a worker: its beginning, and its end unless it is still under way. */
  private runs(task: TaskRow, attempts: readonly Told[]): Placed[] {
    const start = ({ attempt, worker_id: worker, started_at: at }: Pick<Told, 'attempt' | 'worker_id' | 'started_at'>): Placed => ({
      round: attempt,
      item: { at, kind: 'started', state: 'running', attempt, workerId: idText(worker) },
    });
    const runs = attempts.filter(({ worker_id: worker }) => !worker.equals(NOBODY)).flatMap((row) => [start(row), endOfRun(row)]);
    // Read before the attempts: one that has ended meanwhile is among them.
    const isUnderWay = task.state === 'running' && !attempts.some(({ attempt }) => attempt === task.attempt);
    return isUnderWay ? [...runs, start(task)] : runs;
  }
}

function endOfRun(row: Told): Placed {
  const { attempt, outcome, worker_id: worker, finished_at: at } = row;
  const state = STATE_AFTER_END[outcome];
  const item: TimelineItem = { at, kind: 'ended', ...(state && { state }), attempt, workerId: idText(worker), outcome, ...errorOf(row) };
  return { round: attempt, item };
}

/** When it was to run at first is told by the row only until it has run or was sent round again, and then by its promotion. */
function submission(task: TaskRow, runs: readonly Placed[], told: readonly Placed[]): Placed {
  const { created_at: at, created_by: actor, run_at: runAt, state } = task;
  const promotion = told.find(({ item }) => item.kind === 'promoted' && item.detail?.['from'] === 'scheduled');
  const untouched = runs.length === 0 && !told.some(({ item }) => item.kind === 'retried');
  const due = promotion?.item.detail?.['dueAt'] ?? (state === 'scheduled' || (untouched && runAt > at) ? runAt : undefined);
  const waited = due !== undefined || told.some(({ item }) => item.kind !== 'fell_back' && item.detail?.['from'] === 'scheduled');
  const detail = due === undefined ? {} : { detail: { runAt: due } };
  return { round: 0, item: { at, kind: 'submitted', state: waited ? 'scheduled' : 'queued', actor, ...detail } };
}

/** The end as it stands; an operator may have lifted earlier ones. */
function end({ state, reason, attempt, finished_at: at }: TaskRow): Placed[] {
  if (at === 0) return [];
  const detail = reason === 'none' ? {} : { detail: { reason } };
  return [{ round: attempt, item: { at, kind: 'finished', state, ...detail } }];
}

function placeOf({ at, kind, actor, detail: text }: EventRow, runs: readonly Placed[], attempts: readonly Told[]): Placed {
  const { attempt: told, workerId, ...rest } = JSON.parse(text) as Record<string, unknown>;
  const detail = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== ''));
  const round = typeof told === 'number' ? told : latestBefore(at, runs);
  const item: TimelineItem = { at, kind };
  const state = STATE_AFTER[kind];
  if (state !== undefined) item.state = state;
  if (ABOUT_AN_ATTEMPT.has(kind)) item.attempt = round;
  if (typeof workerId === 'string') item.workerId = workerId;
  if (actor !== '') item.actor = actor;
  const why = TOLD_BY_NOBODY.has(kind) ? attempts.find((row) => row.attempt === round + 1 && row.worker_id.equals(NOBODY)) : undefined;
  if (why !== undefined) Object.assign(item, errorOf(why));
  if (Object.keys(detail).length > 0) item.detail = detail;
  return { round, item };
}

/** The round of an event that does not say its own: the last that had begun. */
function latestBefore(at: number, runs: readonly Placed[]): number {
  return runs.filter(({ item }) => item.kind === 'started' && item.at <= at).at(-1)?.round ?? 0;
}

function errorOf({ error_code: code, error_message: message }: Told): { error?: TaskError } {
  return code === '' ? {} : { error: { code, message } };
}

/**
 * The last end closes its round, whatever statement of its transaction was quicker; only putting it aside comes after. An
 * operator's retry follows an end and precedes the next one: where both share a millisecond, the retry came last, but for the
 * round in which the task is finished as it stands.
 */
function inOrder(closing: Placed | undefined, others: readonly Placed[]): (a: Placed, b: Placed) => number {
  const last = Math.max(0, ...others.map(({ round }) => round));
  const isPutAside = ({ round, item: { kind, at } }: Placed): boolean =>
    kind === 'discarded' && closing !== undefined && round === last && at >= closing.item.at;
  const stage = (placed: Placed): number => (isPutAside(placed) ? AFTER_THE_END : (STAGES[placed.item.kind] ?? AFTERWARDS));
  const rank = ({ round, item: { kind } }: Placed): number =>
    kind === 'retried' && (closing === undefined || round !== last) ? TIMELINE_KINDS.length : TIMELINE_KINDS.indexOf(kind);
  return (a, b) => a.round - b.round || stage(a) - stage(b) || a.item.at - b.item.at || rank(a) - rank(b);
}
