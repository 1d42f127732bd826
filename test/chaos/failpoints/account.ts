/**
 * Counts what became of the tasks of one failpoint, from the tables and from what the handlers have really done. Every figure but
 * the first three and the recovery must be 0.
 */
import { idText, sql } from '@app/database';
import type { Place } from './place.js';
import type { Scene } from './scenes.js';

export interface Death {
  readonly pid: number;
  /** ms since the epoch. */
  readonly at: number;
}

export interface Account {
  /** Submissions that were answered. */
  readonly tasks: number;
  /** Attempts that ended as lost. */
  readonly lostAttempts: number;
  /** Those among them whose worker was declared lost while it lived: the machine had not let it send a heartbeat in time. */
  readonly lapsed: number;
  /** Attempts that a stopping worker gave back because its budget was over: in order, and run again. */
  readonly released: number;
  /** Starts of a handler beyond the first of each task that its own failure did not ask for. */
  readonly again: number;
  /** Answered, and not there, or not ended as it must. */
  readonly lost: number;
  /** Not ended at all. */
  readonly stuck: number;
  /** More tasks than submissions, or more than one recorded outcome of a task. */
  readonly double: number;
  /** Attempts that are not numbered without a gap; failures or crashes that nobody had; more repeated than a death may cost. */
  readonly wrong: readonly string[];
  /** From each death until every task that was open then had ended, in ms, sorted. */
  readonly recovery: readonly number[];
}

const SHOWN = 3;

interface TaskRow {
  id: Buffer;
  state: string;
  attempt: number;
  failures: number;
  crashes: number;
  created_at: number;
  finished_at: number;
}

interface AttemptsRow {
  task_id: Buffer;
  total: number;
  highest: number;
  lost: number;
  released: number;
  ends: number;
}

export async function account(place: Place, scene: Scene, deaths: readonly Death[]): Promise<Account> {
  const { house, promised } = place;
  const rows = (await house.database.query(
    sql`SELECT id, state, attempt, failures, crashes, created_at, finished_at FROM tasks WHERE queue = ${place.queue}`,
  )) as unknown as TaskRow[];
  const found = (await house.database.query(
    sql`SELECT a.task_id, COUNT(*) AS total, MAX(a.attempt) AS highest, SUM(a.outcome = 'lost') AS lost, SUM(a.outcome = 'released') AS released, SUM(a.outcome IN ('succeeded', 'cancelled')) AS ends FROM attempts a JOIN tasks t ON t.id = a.task_id WHERE t.queue = ${place.queue} GROUP BY a.task_id`,
  )) as unknown as AttemptsRow[];
  const attempts = new Map(found.map((row) => [idText(row.task_id), row]));
  const tasks = new Map(rows.map((row) => [idText(row.id), row]));
  const starts = house.journal.starts();
  const lostAttempts = found.reduce((sum, { lost }) => sum + Number(lost), 0);
  const again = [...promised.keys()].reduce((sum, id) => sum + Math.max(0, (starts.get(id) ?? 0) - 1 - scene.failures), 0);
  const kept = [...promised].filter(([, ending]) => ending !== 'gone');
  const wrong = [...tasks].flatMap(([id, row]) => wrongWith(id, row, attempts.get(id), scene));
  const released = found.reduce((sum, row) => sum + Number(row.released), 0);
  const lapsed = await lapsedOf(place, deaths);
  if (lostAttempts - lapsed > scene.lost * deaths.length + place.phantoms)
    wrong.push(`${lostAttempts} attempts were lost at ${deaths.length} deaths`);
  if (again - lapsed - released > scene.again * deaths.length) {
    const repeated = [...promised.keys()].filter((id) => (starts.get(id) ?? 0) > 1 + scene.failures);
    wrong.push(`handlers ran ${again} times more at ${deaths.length} deaths: ${await described(place, repeated.slice(0, SHOWN))}`);
  }
  return {
    tasks: place.submissions,
    lostAttempts,
    lapsed,
    released,
    again,
    lost: kept.filter(([id, ending]) => tasks.get(id) === undefined || (isEnded(tasks.get(id)) && tasks.get(id)?.state !== ending)).length,
    stuck: rows.filter((row) => !isEnded(row)).length + (await place.left()),
    double: Math.max(0, rows.length - kept.length) + found.filter(({ ends }) => Number(ends) > 1).length,
    wrong,
    recovery: recoveryOf(rows, deaths),
  };
}

/** Lost attempts of workers whose mark was logged before they died. Numbers of processes come again; a worker is older than its death. */
async function lapsedOf({ house, queue }: Place, deaths: readonly Death[]): Promise<number> {
  const marks = house.marks();
  const lost = (await house.database.query(
    sql`SELECT w.id, w.pid, w.started_at, COUNT(*) AS total FROM attempts a JOIN tasks t ON t.id = a.task_id JOIN workers w ON w.id = a.worker_id WHERE t.queue = ${queue} AND a.outcome = 'lost' GROUP BY w.id, w.pid, w.started_at`,
  )) as unknown as { id: Buffer; pid: number; started_at: number; total: number }[];
  return lost
    .filter(({ id, pid, started_at: startedAt }) => {
      const death = deaths.find((candidate) => candidate.pid === pid && candidate.at > startedAt);
      const mark = marks.get(idText(id));
      return death !== undefined && mark !== undefined && mark < death.at;
    })
    .reduce((sum, { total }) => sum + Number(total), 0);
}

async function described({ house }: Place, ids: readonly string[]): Promise<string> {
  const parts = ids.map(async (id) => {
    const attempts = await house.client.attempts(id);
    const runs = house.journal.lines().filter((line) => line.id === id);
    return JSON.stringify({
      attempts: attempts.map(({ attempt, outcome, workerId, error }) => ({ attempt, outcome, workerId, code: error?.code })),
      runs,
    });
  });
  return (await Promise.all(parts)).join(' ');
}

const isEnded = (row: TaskRow | undefined): boolean => row !== undefined && row.finished_at > 0;

function wrongWith(id: string, row: TaskRow, attempts: AttemptsRow | undefined, { failures }: Scene): string[] {
  const [total, highest, lost] = [attempts?.total, attempts?.highest, attempts?.lost].map((value) => Number(value ?? 0));
  const wrong: string[] = [];
  if (total !== row.attempt || highest !== row.attempt)
    wrong.push(`${id} has ${total} attempts up to ${highest}, and counts ${row.attempt}`);
  if (row.state === 'succeeded' && row.failures !== failures) wrong.push(`${id} counts ${row.failures} failures`);
  if (row.crashes > (lost ?? 0)) wrong.push(`${id} counts ${row.crashes} crashes and has lost ${lost ?? 0} attempts`);
  return wrong;
}

function recoveryOf(rows: readonly TaskRow[], deaths: readonly Death[]): number[] {
  return deaths
    .flatMap(({ at }) => {
      const open = rows.filter((row) => row.created_at <= at && row.finished_at > at);
      return open.length === 0 ? [] : [Math.max(...open.map((row) => row.finished_at - at))];
    })
    .sort((a, b) => a - b);
}
