/** What the worker holds of one claim, from the claim to the recorded outcome. */
import { pause } from '@app/lifecycle';
import type { ClaimedTask } from '@app/tasks';
import type { StopReason } from './classify.js';

/** `gone`: the lease is no longer ours, so nothing will be written. */
export type StopOrder = StopReason | 'gone';

/** `broken`: the handler did something that fails the attempt, outside of what it returns or throws. */
export type HandlerOrder = StopOrder | 'broken';

export interface Held {
  readonly worker: Buffer;
  readonly task: ClaimedTask;
  /** Whether the worker's lease certainly holds at this very moment. */
  readonly isLeased: () => boolean;
  /** When the answer to the claim was here, in ms of the monotonic clock. */
  readonly claimedAt: number;
  /** Stops the handler, once there is one. */
  stop: ((order: HandlerOrder) => void) | null;
  /** Set where the stop came before the handler. */
  stopped: StopOrder | null;
  /** What the attempt has failed with where it was `broken`. */
  broken: Error | null;
  /** The handler has ended, or its grace is over: what comes now changes nothing. */
  ended: boolean;
}

const LOOK_MS = 20;

export const holding = (worker: Buffer, task: ClaimedTask, isLeased: () => boolean, claimedAt: number): Held => ({
  worker,
  task,
  isLeased,
  claimedAt,
  stop: null,
  stopped: null,
  broken: null,
  ended: false,
});

/**
 * Resolves when the lease certainly holds, or when the task is told to stop. A worker that stood still between a claim and the start
 * of the handler must not start it: somebody else may run the task by now, and only the next heartbeat tells.
 */
export async function leaseKnown(held: Held): Promise<void> {
  while (!held.isLeased() && held.stopped === null) await pause(LOOK_MS);
}

/** Passes the order on to the handler, or leaves it for the moment there is one. */
export function stopHeld(held: Held, order: StopOrder): void {
  if (held.stop !== null) held.stop(order);
  else if (held.stopped === null || order === 'gone') held.stopped = order;
}

/** The attempt fails with this, whatever the handler still says; false where no handler runs any more. The first such error counts. */
export function breakHeld(held: Held, error: Error): boolean {
  if (held.stop === null || held.ended) return false;
  held.broken ??= error;
  held.stop('broken');
  return true;
}
