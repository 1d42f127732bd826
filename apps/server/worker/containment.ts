/**
 * Keeps one handler's slips from ending the worker and everybody else's work with it. A promise that is rejected and that nobody
 * handles, and a call of `process.exit()`, fail the attempt they come from; the handler is told to stop, and the worker lives
 * on. Whose they are is told by the context that travels with asynchronous calls. A rejection that comes from nobody's handler
 * still ends the process; a call of `process.exit()` from there, as from a listener for SIGTERM that a module left behind, asks for an
 * orderly stop instead, because an exit at once would lose what runs. A hook for abandoned resources has a task and no attempt:
 * nothing fails there, it is only told.
 * An exception that nobody caught is not contained, because Node calls the process undefined after one. The only exception is the
 * error that refuses an exit: it left a call that would not have come back either, from a timer or a listener of the handler.
 */
import { Inject, Injectable } from '@nestjs/common';
import { describeFailure, replaceExit, RetryableError } from '@app/handlers';
import { Shutdown, type UncaughtEvent } from '@app/lifecycle';
import { currentContext, Logger } from '@app/telemetry';
import { Executor } from './executor.js';
import { handlerError } from './handler-error.js';

@Injectable()
export class Containment {
  /** Errors that were thrown here and told by then; where nobody catches them, that is all. */
  private readonly refusals = new WeakSet<object>();

  constructor(
    @Inject(Executor) private readonly executor: Pick<Executor, 'fail'>,
    @Inject(Shutdown) private readonly shutdown: Pick<Shutdown, 'onUncaught' | 'request'>,
    @Inject(Logger) private readonly logger: Pick<Logger, 'error'>,
  ) {}

  /** Returns what undoes it. */
  start(): () => void {
    this.shutdown.onUncaught((thrown, event) => this.uncaught(thrown, event));
    const exit = process.exit;
    const putBack = replaceExit((code) => {
      this.refuseExit();
      return exit.call(process, code);
    });
    return () => {
      this.shutdown.onUncaught(null);
      putBack();
    };
  }

  private uncaught(thrown: unknown, event: UncaughtEvent): boolean {
    if (typeof thrown === 'object' && thrown !== null && this.refusals.has(thrown)) return true;
    return event === 'unhandledRejection' && this.rejected(thrown);
  }

  private rejected(thrown: unknown): boolean {
    const { message } = describeFailure(thrown);
    const error = new RetryableError({ code: 'floating-rejection', message: `A promise that nobody awaited was rejected: ${message}` });
    return this.fail(error, thrown, 'A handler left a promise without anybody to handle its rejection.');
  }

  /** Returns where no handler's code calls, and nobody is there to stop this process in order: then it belongs to another program. */
  private refuseExit(): void {
    const message = 'The handler called process.exit(). It runs in a process that others share, so it may not end it.';
    const error = new RetryableError({ code: 'process-exit-refused', message });
    if (!this.fail(error, error, 'A handler called process.exit(), which was refused.')) {
      if (!this.shutdown.request('Something called process.exit(); what runs is finished or given back first.')) return;
      this.logger.error({ error: handlerError(error) }, 'Code that belongs to no task called process.exit(), which was refused.');
    }
    this.refusals.add(error);
    throw error;
  }

  /** False where the running code belongs to no task. The line carries the task and the attempt by itself. */
  private fail(error: Error, thrown: unknown, line: string): boolean {
    const { taskId, attempt } = currentContext() ?? {};
    if (taskId === undefined) return false;
    if (attempt === undefined) {
      this.logger.error({ error: handlerError(thrown), hook: 'onAbandon' }, `${line} It was its onAbandon hook.`);
      return true;
    }
    const fails = this.executor.fail(taskId, attempt, error);
    this.logger.error(
      { error: handlerError(thrown), attemptEnded: !fails },
      fails ? `${line} Its attempt fails.` : `${line} Its attempt was over.`,
    );
    return true;
  }
}
