/**
 * Calls a handler, and bounds how long it may take to stop. Every promise that is made here is made for every task, and costs more than
 * it seems to where the running context travels with it (measured: a third of what an attempt costs without its statements), so
 * there are no more than are needed.
 */
import { PermanentError, type HandlerDefinition, type TaskContext } from '@app/handlers';
import { failpoint } from '@app/lifecycle';
import { PayloadSchema } from '@app/payloads';
import type { ClaimedTask } from '@app/tasks';
import type { Ending } from './classify.js';

/** How many problems of a payload the error of a task tells, and how many characters of each. */
const PROBLEMS_TOLD = 5;
const PROBLEM_LENGTH = 300;

/** Whatever the handler does becomes an ending; this never rejects. The handler begins at once. */
export async function runHandler(handler: HandlerDefinition, task: ClaimedTask, context: TaskContext): Promise<Ending> {
  try {
    const result = handler.run(JSON.parse(task.payload) as unknown, context);
    failpoint('run.started');
    return { kind: 'returned', value: await result };
  } catch (thrown) {
    return { kind: 'threw', thrown };
  }
}

/**
 * The end of an attempt whose payload its handler would not want to see, or null. The api may not have known the handler, and a task may
 * be older than the schema. Running it again would find the same, so the task fails for good, or falls back.
 */
export function refusalOf(handler: HandlerDefinition, task: ClaimedTask): Ending | null {
  if (handler.payloadSchema === undefined) return null;
  const payload = parsed(task.payload);
  if (payload === undefined) return refused('The stored payload is no JSON.');
  const problems = PayloadSchema.of(handler.payloadSchema).problems(payload);
  if (problems.length === 0) return null;
  const told = problems.slice(0, PROBLEMS_TOLD).map(({ path, message }) => `/${path.join('/')} ${message}`.slice(0, PROBLEM_LENGTH));
  return refused(`The payload does not fit the schema of the handler: ${told.join('; ')}.`);
}

const refused = (message: string): Ending => ({ kind: 'threw', thrown: new PermanentError(message, { code: 'payload-invalid' }) });

/** Undefined where it is no JSON, which no JSON is. Only a row that was written by other hands has such a payload. */
function parsed(payload: string): unknown {
  try {
    return JSON.parse(payload) as unknown;
  } catch {
    return undefined;
  }
}

/** The time a handler has after it was told to stop. Costs a timer only where one is told. */
export class Grace {
  private onOver: ((ending: Ending) => void) | null = null;
  private timer: NodeJS.Timeout | null = null;
  private isOver = false;

  constructor(private readonly ms: number) {}

  begin(): void {
    this.timer ??= setTimeout(() => {
      this.isOver = true;
      this.onOver?.({ kind: 'ignored' });
    }, this.ms);
  }

  end(): void {
    if (this.timer !== null) clearTimeout(this.timer);
  }

  /** How the work ends, or that its time is over before it does. `work` never rejects. To be called once. */
  whichever(work: Promise<Ending>): Promise<Ending> {
    return new Promise((resolve) => {
      if (this.isOver) resolve({ kind: 'ignored' });
      this.onOver = resolve;
      void work.then(resolve);
    });
  }
}
