/** What really ran: nothing that is not recorded, no effect twice, nothing beside itself, and no more often than faults explain. */
import type { Case, Execution } from './evidence.js';
import { finding, type Check, type Finding } from './finding.js';
import type { Life } from './node.js';

export const unrecorded: Check = {
  name: 'unrecorded executions',
  meaning: 'executions without a claim of their own: an attempt that ran twice, or that no record knows',
  find: (found) =>
    eachSubmission(found, (id, n) => {
      const executions = found.executions(id);
      const seen = new Set<number>();
      return executions.flatMap(({ attempt }) => {
        const again = seen.has(attempt);
        seen.add(attempt);
        if (again) return [finding(`attempt ${attempt} was executed twice`, id, n)];
        return found.attempt(id, attempt) === undefined && isOver(found, id)
          ? [finding(`attempt ${attempt} ran, and is not recorded`, id, n)]
          : [];
      });
    }),
};

export const doubleEffects: Check = {
  name: 'duplicate effects',
  meaning: 'submissions whose effect stands more than once in the store of effects, which knows effects by their token',
  find: (found) => {
    const tokens = new Map<number, string[]>();
    const owner = new Map(found.evidence.tasks.map(({ id, n }) => [id, n]));
    for (const { token, n } of found.evidence.effects) {
      const of = n ?? owner.get(token) ?? -1;
      tokens.set(of, [...(tokens.get(of) ?? []), token]);
    }
    return [...tokens]
      .filter(([, of]) => of.length > 1)
      .map(([n, of]) => finding(`its effect was applied under ${of.join(', ')}`, of[0] ?? null, n));
  },
};

export const missingEffects: Check = {
  name: 'missing effects',
  meaning: 'tasks that succeeded and whose effect is not in the store',
  find: (found) => {
    const applied = new Set(found.evidence.effects.map(({ token }) => token));
    return found.evidence.tasks
      .filter(({ state, id }) => state === 'succeeded' && !applied.has(id))
      .map(({ id, n }) => finding('it succeeded without its effect', id, n));
  },
};

/** Two executions of a task at the same time, the earlier of which had not lost its lease. */
export const overlapping: Check = {
  name: 'unfenced overlaps',
  meaning: 'executions of one task at the same time, where the earlier one had not lost its lease',
  find: (found) =>
    overlapsOf(found)
      .filter(({ earlier }) => found.attempt(earlier.id, earlier.attempt)?.outcome !== 'lost')
      .map(({ earlier, later }) => {
        const outcome = found.attempt(earlier.id, earlier.attempt)?.outcome ?? 'not recorded';
        return finding(`attempt ${later.attempt} began while attempt ${earlier.attempt} (${outcome}) ran`, earlier.id, null);
      }),
};

export interface Overlap {
  readonly earlier: Execution;
  readonly later: Execution;
}

export function overlapsOf(found: Case): Overlap[] {
  return found.evidence.tasks.flatMap(({ id }) => {
    const executions = found.executions(id);
    return executions.flatMap((earlier, index) =>
      executions.slice(index + 1).flatMap((later) => (later.startedAt < earlier.endedAt ? [{ earlier, later }] : [])),
    );
  });
}

export const forgotten: Check = {
  name: 'lost checkpoints',
  meaning: 'attempts that began before a step that an earlier attempt had saved',
  find: (found) =>
    eachSubmission(found, (id, n) => {
      const executions = [...found.executions(id)].sort((a, b) => a.attempt - b.attempt);
      let saved = 0;
      return executions.flatMap(({ attempt, lines }) => {
        const began = lines.find(({ what }) => what === 'start')?.step ?? 0;
        const lost = began < saved ? [finding(`attempt ${attempt} began at step ${began}, and step ${saved} was saved`, id, n)] : [];
        saved = Math.max(saved, ...lines.filter(({ what }) => what === 'saved').map(({ step }) => step ?? 0));
        return lost;
      });
    }),
};

/** Executions whose end counted for nothing, because the attempt was lost or given back. */
export function repeated(found: Case): number {
  const isWaste = new Set(['lost', 'released']);
  return found.evidence.tasks.reduce(
    (sum, { id }) => sum + found.executions(id).filter(({ attempt }) => isWaste.has(found.attempt(id, attempt)?.outcome ?? '')).length,
    0,
  );
}

/** Faults × concurrency: what the faults can have had in their hands. */
export function repeatable({ evidence }: Case): number {
  const everything = evidence.concurrency * evidence.workers;
  const unasked = evidence.lives.filter(({ role, end }) => role === 'worker' && end === 'itself').length;
  const hit = evidence.faults.map(({ fault }) => {
    if (fault.kind.startsWith('database')) return everything;
    if (!('node' in fault) || !fault.node.startsWith('worker') || ('server' in fault && fault.server === 'redis')) return 0;
    // Into the wrong date and out of it.
    return fault.kind === 'skew' ? evidence.concurrency * 2 : evidence.concurrency;
  });
  return hit.reduce<number>((sum, slots) => sum + slots, unasked * evidence.concurrency);
}

export const tooOften: Check = {
  name: 'excess re-executions',
  meaning: 'repeated executions beyond faults × concurrency',
  find: (found) => {
    const [count, most] = [repeated(found), repeatable(found)];
    return count > most
      ? Array.from({ length: count - most }, () => finding(`${count} executions were repeated, and ${most} are explained`, null, null))
      : [];
  },
};

/** A process that could not even start is another matter: it says so and ends, and whoever runs it tries again. */
export const unaskedExits: Check = {
  name: 'unasked exits',
  meaning: 'processes that ended although nobody had killed or stopped them; except before they were ready, while the database was away',
  find: ({ evidence }) =>
    evidence.lives
      .filter((life) => life.end === 'itself' && !gaveUpStarting(evidence, life))
      .map(({ node, pid, exit }) => finding(`${node} (process ${pid}) ended by itself with ${exit}`, null, null)),
};

/** Processes that ended before they were ready, while their way to the database, or the database, was disturbed. */
export function failedStarts({ evidence }: Case): number {
  return evidence.lives.filter((life) => life.end === 'itself' && gaveUpStarting(evidence, life)).length;
}

function gaveUpStarting({ faults }: Case['evidence'], { node, readyAt, bornAt, endedAt }: Life): boolean {
  if (readyAt !== null) return false;
  return faults.some(
    ({ fault, at, healedAt }) =>
      (fault.kind.startsWith('database') || ('server' in fault && fault.server === 'database' && fault.node === node)) &&
      at <= (endedAt ?? Number.POSITIVE_INFINITY) &&
      healedAt >= bornAt,
  );
}

function eachSubmission(found: Case, look: (id: string, n: number) => Finding[]): Finding[] {
  return found.evidence.tasks.flatMap(({ id, n }) => look(id, n));
}

function isOver(found: Case, id: string): boolean {
  return ['succeeded', 'failed', 'cancelled', 'expired'].includes(found.row(id)?.state ?? '');
}
