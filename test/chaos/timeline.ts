/** Everything that is known of one task, in the order of time, with the faults around it: what a violation is understood from. */
import { wallTimeOf } from './clock.js';
import type { Evidence } from './evidence.js';
import type { EventRow } from './register.js';

interface Moment {
  /** ms since the epoch, by this machine's clock. */
  readonly at: number;
  readonly text: string;
}

/** A fault this long before the task began may still matter. */
const BEFORE_MS = 10_000;

/** One line per moment. `events` are the task's own history as the system recorded it. */
export function timelineOf(evidence: Evidence, n: number, events: readonly EventRow[]): string[] {
  const submission = evidence.submissions[n];
  const rows = evidence.tasks.filter((row) => row.n === n);
  const ids = new Set([...(submission?.ids ?? []), ...rows.map(({ id }) => id)]);
  const moments: Moment[] = [];
  if (typeof submission?.sentAt === 'number' && typeof submission.acceptedAt === 'number') {
    moments.push({
      at: wallTimeOf(submission.sentAt),
      text: `client: sends ${submission.plan.kind} ${JSON.stringify(submission.plan.body)}`,
    });
    moments.push({ at: wallTimeOf(submission.acceptedAt), text: `client: accepted as ${[...submission.ids].join(', ')}` });
  }
  for (const { at, what, attempt, pid, error, step } of evidence.lines.filter((line) => line.n === n)) {
    const node = evidence.lives.find((life) => life.pid === pid)?.node ?? '?';
    moments.push({
      at: wallTimeOf(at),
      text: `journal: attempt ${attempt} ${what} ${error ?? ''} ${step ?? ''} on ${node} (process ${pid})`,
    });
  }
  for (const { id, attempt, outcome, code, startedAt, finishedAt } of evidence.attempts.filter((row) => ids.has(row.id))) {
    moments.push({ at: startedAt, text: `register: attempt ${attempt} of ${id} claimed` });
    moments.push({ at: finishedAt, text: `register: attempt ${attempt} ${outcome} ${code}` });
  }
  for (const { at, kind, detail } of events) moments.push({ at, text: `register: ${kind} ${detail}` });
  const first = Math.min(...moments.map(({ at }) => at)) - BEFORE_MS;
  const last = Math.max(...moments.map(({ at }) => at));
  for (const { index, name, fault, at, healedAt, note } of evidence.faults) {
    const [from, to] = [wallTimeOf(at), wallTimeOf(healedAt)];
    const where = 'node' in fault ? ` of ${fault.node}` : '';
    if (from < last && to > first)
      moments.push(
        { at: from, text: `fault ${index}: ${name}${where} begins` },
        { at: to, text: `fault ${index}: ${name} is over (${note})` },
      );
  }
  const told = moments.sort((a, b) => a.at - b.at).map(({ at, text }) => `  ${new Date(at).toISOString().slice(11, 23)} ${text}`);
  return [...told, ...rows.map((row) => `  in the end: ${JSON.stringify(row)}; the cancel was answered as ${submission?.cancel}`)];
}
