/** Calls a handler, and bounds how long it may take to stop. */
import type { HandlerDefinition, TaskContext } from '@app/handlers';
import { failpoint } from '@app/lifecycle';
import type { ClaimedTask } from '@app/tasks';
import type { Ending } from './classify.js';

/** Whatever the handler does becomes an ending; this never rejects. */
export function runHandler(handler: HandlerDefinition, task: ClaimedTask, context: TaskContext): Promise<Ending> {
  return Promise.resolve()
    .then(() => {
      const result = handler.run(JSON.parse(task.payload) as unknown, context);
      failpoint('run.started');
      return result;
    })
    .then(
      (value): Ending => ({ kind: 'returned', value }),
      (thrown: unknown): Ending => ({ kind: 'threw', thrown }),
    );
}

/** The time a handler has after it was told to stop. Costs a timer only where one is told. */
export class Grace {
  /** Resolves when it is over; never, where it does not begin. */
  readonly over: Promise<Ending>;
  private resolve!: (ending: Ending) => void;
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly ms: number) {
    this.over = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }

  begin(): void {
    this.timer ??= setTimeout(this.resolve, this.ms, { kind: 'ignored' });
  }

  end(): void {
    if (this.timer !== null) clearTimeout(this.timer);
  }
}
