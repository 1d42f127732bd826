/**
 * Keeps one handler's slips from ending the worker and everybody else's work with it. A promise that is rejected and that nobody
 * handles, and a call of `process.exit()`, fail the attempt they come from; the handler is told to stop, and the worker lives
 * on. Whose they are is told by the context that travels with asynchronous calls, so that what comes from nobody's handler
 * still ends the process. An exception that nobody caught is not contained: Node calls the process undefined after one.
 */
import { syncBuiltinESMExports } from 'node:module';
import { Inject, Injectable } from '@nestjs/common';
import { describeFailure, RetryableError } from '@app/handlers';
import { Shutdown } from '@app/lifecycle';
import { currentContext, Logger } from '@app/telemetry';
import { Executor } from './executor.js';

@Injectable()
export class Containment {
  constructor(
    @Inject(Executor) private readonly executor: Pick<Executor, 'fail'>,
    @Inject(Shutdown) private readonly shutdown: Pick<Shutdown, 'onRejection'>,
    @Inject(Logger) private readonly logger: Pick<Logger, 'error'>,
  ) {}

  /** Returns what undoes it. */
  start(): () => void {
    this.shutdown.onRejection((thrown) => this.rejected(thrown));
    const exit = process.exit;
    const guarded: typeof exit = (code) => {
      this.refuseExit();
      return exit.call(process, code);
    };
    replaceExit(guarded);
    return () => {
      this.shutdown.onRejection(null);
      if (process.exit === guarded) replaceExit(exit);
    };
  }

  private rejected(thrown: unknown): boolean {
    const { message } = describeFailure(thrown);
    const error = new RetryableError({ code: 'floating-rejection', message: `A promise that nobody awaited was rejected: ${message}` });
    return this.fail(error, thrown, 'A handler left a promise without anybody to handle its rejection.');
  }

  /** Returns where no handler's code calls. */
  private refuseExit(): void {
    const message = 'The handler called process.exit(). It runs in a process that others share, so it may not end it.';
    const error = new RetryableError({ code: 'process-exit-refused', message });
    if (this.fail(error, error, 'A handler called process.exit(), which was refused.')) throw error;
  }

  /** False where the running code belongs to no attempt. The line carries the task and the attempt by itself. */
  private fail(error: Error, err: unknown, line: string): boolean {
    const { taskId, attempt } = currentContext() ?? {};
    if (taskId === undefined || attempt === undefined) return false;
    const fails = this.executor.fail(taskId, attempt, error);
    this.logger.error({ err, attemptEnded: !fails }, fails ? `${line} Its attempt fails.` : `${line} Its attempt was over.`);
    return true;
  }
}

/** Also for those who import `exit` by its name. */
function replaceExit(exit: typeof process.exit): void {
  process.exit = exit;
  syncBuiltinESMExports();
}
