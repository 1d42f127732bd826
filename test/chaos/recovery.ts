/**
 * How long it took until work went on, per fault. Where a process was hit: from that moment until each task that it held, and did
 * not finish, was started again elsewhere. Where a server or its keys were hit: from the end of the fault until each task that
 * was waiting at that moment was started.
 */
import { grouped, type Case, type Execution } from './evidence.js';
import type { FaultRecord } from './inject.js';
import type { Kind } from './plan-tasks.js';

export interface Recovery {
  /** The fault's name in the table. */
  readonly name: string;
  readonly tasks: readonly Recovered[];
}

/** A task, by its submission, and how long it took, in ms. */
export interface Recovered {
  readonly n: number;
  readonly ms: number;
}

/** Kinds that may wait for other reasons than a fault. */
const MAY_WAIT: ReadonlySet<Kind> = new Set<Kind>(['delayed', 'cancelled']);

/** A task that could have been started as soon as it was accepted; times are ms of `clockMs`. */
export interface Wait {
  readonly n: number;
  readonly acceptedAt: number;
  readonly startedAt: number;
}

export function recoveries(found: Case): Recovery[] {
  const byPid = grouped(
    found.evidence.tasks.flatMap(({ id }) => found.executions(id)),
    ({ pid }) => pid,
  );
  const waits = waitsOf(found);
  return found.evidence.faults.map((record) => ({
    name: record.name,
    tasks: record.pid === null ? startsAfter(record, waits) : startsElsewhere(found, record, byPid.get(record.pid) ?? []),
  }));
}

/** From the acceptance to the first start, in ms; a start may come before the answer. */
export function msOf({ acceptedAt, startedAt }: Wait): number {
  return Math.max(0, startedAt - acceptedAt);
}

export function waitsOf(found: Case): Wait[] {
  return found.evidence.submissions.flatMap(({ plan, acceptedAt, ids }) => {
    const [id] = ids;
    const first = id === undefined ? undefined : found.executions(id)[0];
    if (acceptedAt === null || first === undefined || MAY_WAIT.has(plan.kind)) return [];
    return [{ n: plan.n, acceptedAt, startedAt: first.startedAt }];
  });
}

function startsAfter({ healedAt }: FaultRecord, waits: readonly Wait[]): Recovered[] {
  return waits
    .filter(({ acceptedAt, startedAt }) => acceptedAt <= healedAt && startedAt >= healedAt)
    .map(({ n, startedAt }) => ({ n, ms: startedAt - healedAt }));
}

function startsElsewhere(found: Case, { at }: FaultRecord, ran: readonly Execution[]): Recovered[] {
  const held = ran.filter(({ startedAt, endedAt }) => startedAt <= at && endedAt >= at);
  return held.flatMap(({ id, attempt }) => {
    // What ended well after all was not taken away.
    const outcome = found.attempt(id, attempt)?.outcome;
    if (outcome !== 'lost' && outcome !== 'released') return [];
    const next = found.executions(id).find((other) => other.attempt > attempt && other.startedAt >= at);
    return next === undefined ? [] : [{ n: found.row(id)?.n ?? -1, ms: next.startedAt - at }];
  });
}
