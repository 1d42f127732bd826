/**
 * The worker's end of the keeper (see `keeper-process.ts`). The keeper is started with the first program; one that is gone takes
 * its runs with it, whose groups are killed from here, and the next program gets a new one.
 */
import { AsyncResource } from 'node:async_hooks';
import { fork, type ChildProcess } from 'node:child_process';
import { RetryableError } from '@app/handlers';
import type { FromKeeper, ProgramEnd, ProgramOrder, ToKeeper } from './messages.js';

type Fork = (...parameters: Parameters<typeof fork>) => ChildProcess;

interface Run {
  pid: number | null;
  end(end: ProgramEnd): void;
  fail(error: Error): void;
}

/** The program could not be started. */
export class NotStarted extends Error {
  /** @param code the operating system's, such as ENOENT. */
  constructor(readonly code: string) {
    super(`The program could not be started (${code}).`);
  }
}

export class Keeper {
  private child: ChildProcess | null = null;
  private readonly runs = new Map<number, Run>();
  private last = 0;
  /** What the keeper says is heard outside of any attempt, or it would be taken for the doing of the first one. */
  private readonly outside = new AsyncResource('Keeper');

  /** `frozenMs`: how long the worker may stand still before its programs are killed. */
  constructor(
    private readonly frozenMs: number,
    private readonly forkKeeper: Fork = fork,
  ) {}

  /**
   * Resolves when nothing of the program runs any more. An abort stops it; it resolves then as well.
   * @throws NotStarted where the operating system refuses to start it.
   * @throws RetryableError `process-not-started` where it refuses the keeper, `process-keeper-lost` where the keeper has ended.
   */
  run(order: ProgramOrder, signal: AbortSignal): Promise<ProgramEnd> {
    const run = (this.last += 1);
    const stop = (): void => {
      this.say({ kind: 'stop', run });
    };
    return new Promise<ProgramEnd>((resolve, reject) => {
      this.runs.set(run, {
        pid: null,
        end: resolve,
        fail: reject,
      });
      this.begin({ kind: 'start', run, order });
      signal.addEventListener('abort', stop, { once: true });
    }).finally(() => {
      signal.removeEventListener('abort', stop);
      this.runs.delete(run);
    });
  }

  private begin(message: ToKeeper): void {
    try {
      this.child ??= this.outside.runInAsyncScope(() => this.start());
    } catch {
      this.failAll(keeperNotStarted());
      return;
    }
    this.say(message);
  }

  /** Without a process there may be no channel either; the error that comes next tells everybody who waits. */
  private say(message: ToKeeper): void {
    if (this.child?.pid !== undefined) this.child.send(message, () => undefined);
  }

  private start(): ChildProcess {
    // Away from the worker's own group and environment; its standard error is the worker's, for what should never happen.
    const child = this.forkKeeper(new URL('./keeper-process.js', import.meta.url), [String(this.frozenMs)], {
      detached: true,
      env: {},
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    child.on('message', (message: FromKeeper) => {
      this.hear(message);
    });
    child.on('error', () => {
      // It never began, so its exit will not be told.
      if (child.pid === undefined && this.child === child) this.failAll(keeperNotStarted());
    });
    child.once('exit', () => {
      if (this.child === child) this.failAll(keeperLost());
    });
    child.unref();
    child.channel?.unref();
    return child;
  }

  private hear(message: FromKeeper): void {
    const run = this.runs.get(message.run);
    if (run === undefined) return;
    if (message.kind === 'started') run.pid = message.pid;
    else if (message.kind === 'ended') run.end(message.end);
    else run.fail(new NotStarted(message.code));
  }

  /** There is no keeper any more; the next program gets a new one. */
  private failAll(error: RetryableError): void {
    this.child = null;
    for (const { pid, fail } of this.runs.values()) {
      if (pid !== null) killGroup(pid);
      fail(error);
    }
  }
}

const keeperLost = (): RetryableError =>
  new RetryableError({ message: 'The process that keeps the programs has ended.', code: 'process-keeper-lost' });

const keeperNotStarted = (): RetryableError =>
  new RetryableError({ message: 'The machine did not give a process to whoever keeps the programs.', code: 'process-not-started' });

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left in it.
  }
}
