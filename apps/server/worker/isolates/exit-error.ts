/** Why an attempt failed whose isolate was not there any more, or never was. Each may be tried again. */
import { RetryableError } from '@app/handlers';
import type { Exit, IsolateSpec } from './isolate.js';

/** The isolate ended while it ran an attempt, and nobody had told it to. */
export function exitError(exit: Exit, { kind, memoryMb }: IsolateSpec): RetryableError {
  if (exit.outOfMemory) {
    const message = `The handler needed more than the ${memoryMb} MiB of memory that it may use, and was ended.`;
    return new RetryableError({ message, code: 'handler-out-of-memory' });
  }
  return new RetryableError({
    message: `The ${kind} of the handler ended before the handler did: ${ending(exit)}.`,
    code: 'handler-exited',
  });
}

/** The isolate could not be made ready to run anything. */
export function startError(reason: string): RetryableError {
  return new RetryableError({ message: `The handler could not be started: ${reason}`, code: 'isolate-not-started' });
}

/** As the end of a sentence. */
export function ending({ code, signal, problem }: Exit): string {
  const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
  return problem === null ? how : `${how} (${problem})`;
}
