/**
 * What a worker holds, found by task as well as walked as a whole: an older attempt of a task may still be on its way out while a
 * later one runs. It is asked for every task that is claimed, so nothing here costs more than the tasks it is asked about.
 */
import type { ClaimedTask } from '@app/tasks';
import type { Held } from './held.js';

type Attempt = Pick<ClaimedTask, 'id' | 'attempt'>;

export class HeldTasks {
  private readonly all = new Set<Held>();
  private readonly byTask = new Map<string, Held[]>();

  get size(): number {
    return this.all.size;
  }

  add(held: Held): void {
    this.all.add(held);
    const others = this.byTask.get(held.task.id);
    this.byTask.set(held.task.id, others === undefined ? [held] : [...others, held]);
  }

  delete(held: Held): void {
    this.all.delete(held);
    const found = this.of(held.task.id);
    if (found.length <= 1) {
      if (found[0] === held) this.byTask.delete(held.task.id);
      return;
    }
    this.byTask.set(
      held.task.id,
      found.filter((other) => other !== held),
    );
  }

  /** Every attempt of the task that is held. */
  of(taskId: string): readonly Held[] {
    return this.byTask.get(taskId) ?? [];
  }

  find({ id, attempt }: Attempt): Held | undefined {
    return this.of(id).find(({ task }) => task.attempt === attempt);
  }

  /** A copy, so that what is walked may end meanwhile. */
  list(): Held[] {
    return [...this.all];
  }
}
