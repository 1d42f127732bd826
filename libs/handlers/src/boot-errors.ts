/** What can be wrong with the handlers of a process. Each ends the boot: a worker with half its handlers would give tasks back. */
import { TaskRunnerError } from '@app/errors';

/** A definition that cannot be used. */
export class InvalidHandler extends TaskRunnerError {
  constructor(origin: string, problems: readonly string[]) {
    super('internal', 'invalid-handler', `The handler from ${origin} cannot be used: ${problems.join('; ')}.`);
  }
}

/** Two handlers for one name: which of them ran a task would depend on the order of loading. */
export class DuplicateHandler extends TaskRunnerError {
  constructor(name: string, first: string, second: string) {
    super(
      'internal',
      'duplicate-handler',
      `Two handlers are named "${name}": one from ${first}, one from ${second}. Rename or remove one of them.`,
    );
  }
}

/** A module or the folder of `HANDLERS_DIR` that cannot be loaded. */
export class HandlersNotLoaded extends TaskRunnerError {
  constructor(message: string, cause?: unknown) {
    super('internal', 'handlers-not-loaded', message, { cause });
  }
}
