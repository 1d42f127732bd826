/** What is recorded in the end: one final state per task, with one outcome, which is what the journal saw, and for its reason. */
import { FINAL_STATES } from '../support/wire.js';
import type { Case, Execution } from './evidence.js';
import { finding, type Check, type Finding } from './finding.js';
import { FLAKY_FAILURES, type Kind } from './plan-tasks.js';
import type { Submission } from './ledger.js';
import type { AttemptRow, TaskRow } from './register.js';

/** Every task of the campaign that has a row. */
function eachTask(found: Case, look: (row: TaskRow, submission: Submission) => string | null): Finding[] {
  return found.evidence.tasks.flatMap((row) => {
    const submission = found.evidence.submissions[row.n];
    if (submission === undefined) return [finding('nobody submitted it', row.id, row.n)];
    const why = look(row, submission);
    return why === null ? [] : [finding(why, row.id, row.n)];
  });
}

const isFinal = ({ state }: TaskRow): boolean => FINAL_STATES.includes(state);

export const stuck: Check = {
  name: 'stuck',
  meaning: 'not in a final state at the end',
  find: (found) => eachTask(found, (row) => (isFinal(row) ? null : `it is ${row.state}, attempt ${row.attempt}`)),
};

/** Outcomes that end a task whatever it is. */
const ENDS = new Set(['succeeded', 'cancelled']);

export const double: Check = {
  name: 'double outcomes',
  meaning: 'more than one recorded end, or an attempt after the recorded end',
  find: (found) =>
    eachTask(found, (row) => {
      const attempts = found.attempts(row.id);
      const ends = attempts.filter(({ outcome }) => ENDS.has(outcome));
      if (ends.length > 1) return `${ends.length} attempts ended it`;
      const [end] = ends;
      if (end !== undefined && end.attempt !== attempts.at(-1)?.attempt) return `attempt ${end.attempt} ended it, and there is a later one`;
      if (row.state === 'succeeded' && end?.outcome !== 'succeeded') return 'it succeeded and no attempt did';
      if (isFinal(row) && row.state !== 'succeeded' && end?.outcome === 'succeeded') return `it is ${row.state} and an attempt succeeded`;
      return null;
    }),
};

export const contradicted: Check = {
  name: 'contradictions',
  meaning: 'attempts that are recorded as something else than what the journal saw',
  find: (found) =>
    found.evidence.attempts.flatMap((row) => {
      const execution = found.executions(row.id).find(({ attempt }) => attempt === row.attempt);
      const why = contradiction(row, execution, found.row(row.id)?.n);
      return why === null ? [] : [finding(`attempt ${row.attempt} ${why}`, row.id, found.row(row.id)?.n ?? null)];
    }),
};

function contradiction({ outcome, result }: AttemptRow, execution: Execution | undefined, n: number | undefined): string | null {
  switch (outcome) {
    case 'succeeded':
      if (execution?.ending !== 'end') return 'is recorded as succeeded, and its handler did not return';
      return (JSON.parse(result ?? 'null') as { n?: number } | null)?.n === n ? null : `has the result of another task: ${result}`;
    case 'failed':
      return execution?.ending === 'throw' ? null : 'is recorded as failed, and its handler did not throw';
    case 'snoozed':
      return execution?.thrown.startsWith('DeferError') === true ? null : 'is recorded as snoozed, and its handler did not ask for that';
    default:
      // Lost, released and cancelled attempts may have been anywhere, or have never begun.
      return null;
  }
}

export const wrongEnd: Check = {
  name: 'wrong ends',
  meaning: 'an end, or a number of failures, that the kind of the task does not explain',
  find: (found) =>
    eachTask(found, (row, { plan, cancel }) => {
      if (!isFinal(row) || row.reason === 'poison') return null;
      const { state, reason, failures } = row;
      const said = `${state}${reason === 'none' ? '' : ` (${reason})`} with ${failures} failures`;
      if (plan.kind === 'cancelled') {
        const allowed = cancel === 'ended' ? ['cancelled'] : ['cancelled', 'succeeded'];
        return allowed.includes(state) && failures === 0 ? null : `it is ${said}; the cancel was answered as "${cancel}"`;
      }
      const expected = ENDINGS[plan.kind];
      const asExpected =
        state === expected.state && reason === expected.reason && (expected.failures === null || failures === expected.failures);
      return asExpected ? null : `it is ${said}, and not as every task of the kind ${plan.kind} should be`;
    }),
};

interface Ending {
  readonly state: string;
  readonly reason: string;
  /** Null where faults explain failures: a checkpoint that cannot be stored is one. */
  readonly failures: number | null;
}

const SUCCEEDED: Ending = { state: 'succeeded', reason: 'none', failures: 0 };

const ENDINGS: Readonly<Record<Exclude<Kind, 'cancelled'>, Ending>> = {
  quick: SUCCEEDED,
  sleeping: SUCCEEDED,
  delayed: SUCCEEDED,
  snoozed: SUCCEEDED,
  long: SUCCEEDED,
  flaky: { ...SUCCEEDED, failures: FLAKY_FAILURES },
  checkpointed: { ...SUCCEEDED, failures: null },
  hopeless: { state: 'failed', reason: 'permanent_error', failures: 1 },
};

/** Tasks that are poison although fewer processes than it takes have died with them. */
export const falsePoison: Check = {
  name: 'poison false positives',
  meaning: 'innocent tasks that were dead-lettered as poison although fewer of their workers were killed than that takes',
  find: (found) =>
    eachTask(found, (row) => {
      if (row.reason !== 'poison') return null;
      const deaths = found.executions(row.id).filter((execution) => found.diedWith(execution)).length;
      return deaths >= found.evidence.poisonCrashes ? null : `it is poison after ${deaths} deaths of a worker that ran it`;
    }),
};

export const gaps: Check = {
  name: 'gaps in the attempts',
  meaning: 'finished tasks whose attempts are not numbered 1, 2, 3 … up to the last claim',
  find: (found) =>
    eachTask(found, (row) => {
      if (!isFinal(row)) return null;
      const numbers = found.attempts(row.id).map(({ attempt }) => attempt);
      const gapless = numbers.length === row.attempt && numbers.every((attempt, index) => attempt === index + 1);
      return gapless ? null : `its last claim was number ${row.attempt}, and the attempts ${numbers.join(', ') || '(none)'} are recorded`;
    }),
};
