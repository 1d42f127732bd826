/** What the worker holds of one claim, from the claim to the recorded outcome. */
import type { ClaimedTask } from '@app/tasks';
import type { StopReason } from './classify.js';

/** `gone`: the lease is no longer ours, so nothing will be written. */
export type StopOrder = StopReason | 'gone';

export interface Held {
  readonly worker: Buffer;
  readonly task: ClaimedTask;
  /** Stops the handler, once there is one. */
  stop: ((order: StopOrder) => void) | null;
  /** Set where the stop came before the handler. */
  stopped: StopOrder | null;
}

export const holding = (worker: Buffer, task: ClaimedTask): Held => ({ worker, task, stop: null, stopped: null });

/** Passes the order on to the handler, or leaves it for the moment there is one. */
export function stopHeld(held: Held, order: StopOrder): void {
  if (held.stop !== null) held.stop(order);
  else if (held.stopped === null || order === 'gone') held.stopped = order;
}
