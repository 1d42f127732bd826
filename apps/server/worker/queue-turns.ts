/**
 * In which order the queues of one tenant are served: in turn, the one whose last turn is longest ago first. Whose turn it was is only
 * remembered when it is said, so that a turn which was not used is not lost.
 *
 * Pure: the same calls give the same answers.
 */
import type { Backlog } from '@app/tasks';

/** A queue of a tenant. */
export type Flow = Pick<Backlog, 'queue' | 'tenant'>;

/** A flow that wants slots, and the most that it can use now. */
export interface Wanting extends Flow {
  readonly most: number;
}

export const keyOf = ({ queue, tenant }: Flow): string => `${queue} ${tenant}`;

/** Queues whose last turn is remembered; of more, those are forgotten whose turn is longest ago, and come first again. */
const QUEUES_MAX = 10_000;

export class QueueTurns {
  private turn = 0;
  /** Key → number of its last turn, the oldest first. */
  private readonly last = new Map<string, number>();

  constructor(private readonly queuesMax: number = QUEUES_MAX) {}

  /** Who gets the next slots, one entry per slot, in order. */
  next(wanting: readonly Wanting[], slots: number): Flow[] {
    const turns: Flow[] = [];
    let open = wanting
      .map((flow) => ({ flow, left: flow.most, last: this.last.get(keyOf(flow)) ?? 0 }))
      .filter(({ left }) => left > 0)
      .sort((a, b) => a.last - b.last);
    while (open.length > 0 && turns.length < slots) {
      for (const queue of open.slice(0, slots - turns.length)) {
        turns.push(queue.flow);
        queue.left -= 1;
      }
      open = open.filter(({ left }) => left > 0);
    }
    return turns;
  }

  /** The queue has had a turn, or several in a row. */
  had(flow: Flow, turns = 1): void {
    const key = keyOf(flow);
    this.turn += turns;
    this.last.delete(key);
    this.last.set(key, this.turn);
    for (const oldest of this.last.keys()) {
      if (this.last.size <= this.queuesMax) return;
      this.last.delete(oldest);
    }
  }
}
