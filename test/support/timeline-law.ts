/**
 * Whether a timeline is a life that a task can have had: each item must be possible in a state that the items before it allow.
 * It knows the moves only by what an item means, so it would notice a missing item, one too many, and a wrong order.
 */
import type { AttemptOutcome, TaskState, TimelineItem } from '@app/tasks';

const AFTER_OUTCOME: Readonly<Record<AttemptOutcome, readonly TaskState[]>> = {
  succeeded: ['succeeded'],
  failed: ['retrying', 'failed', 'queued'],
  timed_out: ['retrying', 'failed', 'queued'],
  cancelled: ['cancelled'],
  lost: ['queued', 'failed', 'cancelled'],
  released: ['queued', 'retrying'],
  snoozed: ['retrying'],
};
const IDLE: readonly TaskState[] = ['scheduled', 'queued', 'retrying'];

interface Step {
  from: readonly TaskState[];
  /** Null: it stays in whichever of them it was. */
  to: readonly TaskState[] | null;
}

function stepOf({ kind, state, outcome }: TimelineItem): Step {
  switch (kind) {
    case 'submitted':
      return { from: [], to: [state ?? 'queued'] };
    case 'started':
      return { from: ['queued'], to: ['running'] };
    case 'cancel_requested':
      return { from: ['running'], to: null };
    case 'ended':
      return { from: ['running'], to: outcome === undefined ? [] : AFTER_OUTCOME[outcome] };
    case 'taken_back':
      return { from: ['queued', 'failed', 'cancelled'], to: null };
    case 'poisoned':
      return { from: ['failed'], to: ['failed'] };
    case 'fell_back':
      return { from: ['queued'], to: ['queued'] };
    case 'promoted':
      return { from: ['scheduled', 'retrying'], to: ['queued'] };
    case 'expired':
      return { from: IDLE, to: ['expired'] };
    case 'deadline_passed':
    case 'unhandled':
      return { from: IDLE, to: ['failed'] };
    case 'cancelled':
      return { from: [...IDLE, 'cancelled'], to: ['cancelled'] };
    case 'finished':
      return { from: state === undefined ? [] : [state], to: null };
    case 'discarded':
      return { from: ['failed'], to: ['failed'] };
    case 'retried':
      return { from: ['failed', 'cancelled', 'expired'], to: ['queued'] };
  }
}

/** What is wrong with it, or null. `state` is the one that the task is in. */
export function impossible(items: readonly TimelineItem[], state: TaskState): string | null {
  let possible: readonly TaskState[] = [];
  for (const [index, item] of items.entries()) {
    const { from, to } = stepOf(item);
    const before = item.kind === 'submitted' ? [] : possible.filter((one) => from.includes(one));
    if ((item.kind === 'submitted') !== (index === 0) || (index > 0 && before.length === 0)) {
      const told = items.slice(0, index + 1).map(({ kind, outcome }) => (outcome === undefined ? kind : `${kind} ${outcome}`));
      return `${item.kind} is not possible in ${possible.join(' or ') || 'no state'}: ${told.join(', ')}`;
    }
    possible = to ?? before;
  }
  return possible.includes(state) ? null : `it ends in ${possible.join(' or ')} and not in ${state}`;
}
