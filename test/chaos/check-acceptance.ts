/** What was promised to the clients: accepted means durable, one task per key, and no answer that leaves them in the dark. */
import type { Case } from './evidence.js';
import { finding, type Check } from './finding.js';

export const lost: Check = {
  name: 'lost',
  meaning: 'accepted with a 2xx, and no such task is there',
  find: (found: Case) =>
    found.evidence.submissions.flatMap(({ plan, ids }) =>
      [...ids].filter((id) => found.row(id) === undefined).map((id) => finding('no row has the id that was answered', id, plan.n)),
    ),
};

export const split: Check = {
  name: 'accepted twice',
  meaning: 'one idempotency key, more than one task',
  find: ({ evidence }) => {
    const rows = new Map<number, string[]>();
    for (const { id, n } of evidence.tasks) rows.set(n, [...(rows.get(n) ?? []), id]);
    return evidence.submissions.flatMap(({ plan, ids }) => {
      const all = new Set([...ids, ...(rows.get(plan.n) ?? [])]);
      return all.size > 1 ? [finding(`one key has ${all.size} tasks: ${[...all].join(', ')}`, [...all][0] ?? null, plan.n)] : [];
    });
  },
};

export const unanswered: Check = {
  name: 'never accepted',
  meaning: 'asked for again and again, and not accepted by the end',
  find: ({ evidence }) =>
    evidence.submissions.filter(({ ids }) => ids.size === 0).map(({ plan }) => finding('no answer was a 2xx', null, plan.n)),
};

export const odd: Check = {
  name: 'odd answers',
  meaning: 'answers that no fault excuses: another refusal than 503, 429 and "in progress", or one of the first two without `Retry-After`',
  find: ({ evidence }) => evidence.odd.map(({ n, what }) => finding(what, null, n)),
};

/** Long enough for a few requests at any pace. */
const OUTAGE_MS_MIN = 2_000;
const REQUESTS_MIN = 20;

export const closedDoor: Check = {
  name: 'shut without Redis',
  meaning: 'outages of Redis, with the database there, in which not one task was accepted',
  find: ({ evidence }) =>
    redisOutages(evidence.faults).flatMap(({ from, to, index }) => {
      const clear = to - from;
      const due = evidence.submissions.filter(({ acceptedAt }) => acceptedAt === null || acceptedAt > from).length;
      if (clear < OUTAGE_MS_MIN || due < REQUESTS_MIN) return [];
      return acceptedWithin(evidence, from, to) > 0 ? [] : [finding(`nothing was accepted during fault ${index}`, null, null)];
    }),
};

/** How many were asked for and accepted while Redis was away. */
export function acceptedWithin({ submissions }: Case['evidence'], from: number, to: number): number {
  return submissions.filter(({ sentAt, acceptedAt }) => sentAt !== null && acceptedAt !== null && sentAt >= from && acceptedAt <= to)
    .length;
}

/** When Redis was away as a whole; without the outages that a fault of the database overlaps. */
export function redisOutages(faults: Case['evidence']['faults']): { index: number; from: number; to: number }[] {
  const disturbed = faults.filter(({ fault }) => fault.kind.startsWith('database'));
  return faults
    .filter(({ fault }) => fault.kind === 'redis killed' || fault.kind === 'redis frozen')
    .map(({ index, at, healedAt }) => ({ index, from: at, to: healedAt }))
    .filter(({ from, to }) => !disturbed.some(({ at, healedAt }) => at < to && healedAt > from));
}
