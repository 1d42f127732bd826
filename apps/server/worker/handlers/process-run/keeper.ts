/**
 * The worker's end of the keeper (see `keeper-process.ts`). The keeper is started with the first program; one that is gone takes
 * its runs with it, whose groups are killed from here, and the next program gets a new one.
 */
import { AsyncResource } from 'node:async_hooks';
import { fork, type ChildProcess } from 'node:child_process';
import { RetryableError } from '@app/handlers';
import type { FromKeeper, ProgramEnd, ProgramOrder, ToKeeper } from './messages.js';

interface Run {
  pid: number | null;
  end(end: ProgramEnd): void;
  /** `code` is the operating system's. */
  refuse(code: string): void;
  lose(): void;
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

  /**
   * Resolves when nothing of the program runs any more. An abort stops it; it resolves then as well.
   * @throws NotStarted where the operating system refuses to start it.
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
        refuse: (code) => {
          reject(new NotStarted(code));
        },
        lose: () => {
          reject(new RetryableError({ message: 'The process that keeps the programs has ended.', code: 'process-keeper-lost' }));
        },
      });
      this.say({ kind: 'start', run, order });
      signal.addEventListener('abort', stop, { once: true });
    }).finally(() => {
      signal.removeEventListener('abort', stop);
      this.runs.delete(run);
    });
  }

  private say(message: ToKeeper): void {
    this.child ??= this.outside.runInAsyncScope(() => this.start());
    this.child.send(message, () => undefined);
  }

  private start(): ChildProcess {
    // Away from the worker's own group and environment; its standard error is the worker's, for what should never happen.
    const child = fork(new URL('./keeper-process.js', import.meta.url), [], {
      detached: true,
      env: {},
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    child.on('message', (message: FromKeeper) => {
      this.hear(message);
    });
    child.on('error', () => undefined);
    child.once('exit', () => {
      if (this.child === child) this.lose();
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
    else run.refuse(message.code);
  }

  private lose(): void {
    this.child = null;
    for (const { pid, lose } of this.runs.values()) {
      if (pid !== null) killGroup(pid);
      lose();
    }
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left in it.
  }
}
