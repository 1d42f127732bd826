/**
 * Runs one claimed task from claim to recorded outcome, as a list of steps: find the handler, set the clocks, run it, stop it
 * if something asks, classify, settle. The slot is given back when the outcome is recorded, except where a handler ignores
 * its abort: its work cannot be stopped inside this process, so its slot stays closed until it ends by itself, and a worker
 * with too many such slots asks to be replaced.
 */
import { Inject, Injectable } from '@nestjs/common';
import { Config } from '@app/config';
import { HandlerRegistry, type HandlerDefinition, type TaskContext } from '@app/handlers';
import { pause, Shutdown } from '@app/lifecycle';
import { TaskProgressWriter, TaskSettler, type ClaimedTask, type Verdict } from '@app/tasks';
import { Logger, runWithContext } from '@app/telemetry';
import { makeContext } from './attempt-context.js';
import { effectiveRetry, type RetryDefaults } from './backoff.js';
import { classify, type Ending, type StopReason } from './classify.js';

/** How long a suspect waits for its turn, in ms; doubled each time it finds the place taken, up to 32 times as long. */
const SUSPECT_PAUSE_MS = 1_000;
const SUSPECT_DOUBLINGS_MAX = 5;
/** Share of the slots that may be closed by handlers that ignore their abort before the worker asks to be replaced. */
const CLOSED_SHARE_MAX = 0.5;
const IDLE_LOOK_MS = 20;

/** An attempt that is over; `leftover` is the handler that goes on although it was told to stop. */
interface Over {
  leftover: Promise<unknown> | null;
}

type Stop = (reason: StopReason | 'gone') => void;

interface Held {
  worker: Buffer;
  task: ClaimedTask;
  /** Stops the handler, once there is one. */
  stop: Stop | null;
}

@Injectable()
export class Executor {
  /** What is held, by id and attempt: an older attempt of the same task may still be on its way out. */
  private readonly running = new Map<string, Held>();
  private suspect: string | null = null;
  private closedSlots = 0;
  private wornOut = false;

  constructor(
    @Inject(Config) private readonly config: Config,
    @Inject(HandlerRegistry) private readonly registry: HandlerRegistry,
    @Inject(TaskSettler) private readonly settler: TaskSettler,
    @Inject(TaskProgressWriter) private readonly progress: TaskProgressWriter,
    @Inject(Shutdown) private readonly shutdown: Shutdown,
    @Inject(Logger) private readonly logger: Logger,
  ) {}

  get count(): number {
    return this.running.size;
  }

  /** The ids of what is held. */
  get ids(): Buffer[] {
    return [...this.running.values()].map(({ task }) => task.bytes);
  }

  /** Whether this very attempt is held. */
  holds(id: Buffer, attempt: number): boolean {
    return this.running.has(keyOf(id, attempt));
  }

  /** Asks one task to stop because somebody cancelled it. */
  cancel(id: Buffer): void {
    for (const { task, stop } of this.running.values()) if (task.bytes.equals(id)) stop?.('cancel');
  }

  /** Asks every handler to stop. `gone`: the lease is no longer ours, so nothing will be written. */
  stopAll(reason: 'shutdown' | 'gone'): void {
    for (const { stop } of [...this.running.values()]) stop?.(reason);
  }

  /**
   * Gives back what still runs, without waiting for its handlers: the process is about to end, and with it they. What they
   * still say is not heard. Resolves when that is recorded.
   */
  async abandon(): Promise<void> {
    const left = [...this.running.values()];
    for (const { stop } of left) stop?.('gone');
    const error = { code: 'worker-stopping', message: 'The worker was stopped before the handler ended, and gave the task back.' };
    const verdict: Verdict = { kind: 'released', delayMs: 0, unhandled: false, error };
    await Promise.allSettled(left.map(({ worker, task }) => this.settler.settle({ worker, task, verdict })));
  }

  /** Resolves when nothing is held any more. */
  async idle(signal: AbortSignal): Promise<void> {
    while (this.running.size > 0 && !signal.aborted) await pause(IDLE_LOOK_MS, signal);
  }

  /**
   * Resolves when the slot may be used again: when the outcome is recorded (or fenced), or, where the handler ignored its abort,
   * when the handler has ended. Never rejects.
   */
  async run(worker: Buffer, task: ClaimedTask): Promise<void> {
    const key = keyOf(task.bytes, task.attempt);
    this.running.set(key, { worker, task, stop: null });
    await runWithContext({ taskId: task.id, attempt: task.attempt, tenant: task.tenant }, async () => {
      let leftover: Promise<unknown> | null = null;
      try {
        ({ leftover } = await this.attempt(key, worker, task));
      } catch (err) {
        this.logger.error(
          { err },
          'The outcome of an attempt could not be recorded; the task is given back, or swept when the lease ends.',
        );
      } finally {
        this.running.delete(key);
        if (this.suspect === key) this.suspect = null;
      }
      if (leftover !== null) await this.outlast(task, leftover);
    });
  }

  /** One attempt, step by step. */
  private async attempt(key: string, worker: Buffer, task: ClaimedTask): Promise<Over> {
    const handler = this.registry.get(task.name);
    if (handler === undefined) return this.giveBack(worker, task, 'unknown-handler', this.config.unknownHandlerPauseMs);
    if (this.isSuspect(task)) {
      if (this.suspect !== null) return this.giveBack(worker, task, 'suspect-waits', suspectPause(task));
      this.suspect = key;
    }

    const { timeoutMs, deadlineFirst } = this.limitOf(task, handler);
    const abort = new AbortController();
    const grace = new Grace(this.config.workerAbortGraceMs);
    let stopped: StopReason | 'gone' | null = null;
    const stop: Stop = (reason) => {
      // The first reason counts, except that a lost lease takes away the right to write whatever came before.
      if (stopped === null || reason === 'gone') stopped = reason;
      const name = reason === 'timeout' || reason === 'deadline' ? 'TimeoutError' : 'AbortError';
      abort.abort(new DOMException(`The attempt was stopped: ${reason}.`, name));
      grace.begin();
    };
    this.running.set(key, { worker, task, stop });
    const timer = setTimeout(stop, timeoutMs, deadlineFirst ? 'deadline' : 'timeout');
    const { context, end } = makeContext(task, {
      signal: abort.signal,
      deadline: new Date(task.startedAt + timeoutMs),
      logger: this.logger,
      write: async (fraction, message) => {
        await this.progress.write(worker, task, fraction, message);
      },
    });
    const work = runHandler(handler, task, context);
    const ending = await Promise.race([work, grace.over]);
    clearTimeout(timer);
    grace.end();
    end();
    const reason = stopped as StopReason | 'gone' | null;
    const leftover = ending.kind === 'ignored' ? work : null;
    // If the lease is not mine, I do not write.
    if (reason === 'gone') return { leftover };
    const retry = effectiveRetry(task, handler.retry, this.retryDefaults());
    const verdict = classify(ending, reason, { task, retry, resultBytesMax: this.config.resultMaxBytes, timeoutMs, random: Math.random() });
    await this.settle(worker, task, verdict);
    return { leftover };
  }

  /**
   * One more crash would make it poison, so it must crash alone if it does: its neighbours could not be told from it. Before
   * that it runs among the others, because most crashes are nobody's fault and a task on its own is a task that waits.
   */
  private isSuspect(task: ClaimedTask): boolean {
    return task.crashes > 0 && task.crashes >= this.config.poisonCrashes - 1;
  }

  /** The shorter of the attempt's own timeout and what is left of the task's life, both in ms from the claim. */
  private limitOf(task: ClaimedTask, handler: HandlerDefinition): { timeoutMs: number; deadlineFirst: boolean } {
    const own = task.timeoutMs > 0 ? task.timeoutMs : (handler.timeoutMs ?? this.config.taskTimeoutMs);
    const left = task.deadlineAt > 0 ? Math.max(0, task.deadlineAt - task.startedAt) : Number.POSITIVE_INFINITY;
    return { timeoutMs: Math.min(own, left), deadlineFirst: left < own };
  }

  /** The handler runs on although nobody waits for it: it cannot be stopped inside this process, so its slot stays closed. */
  private async outlast(task: ClaimedTask, work: Promise<unknown>): Promise<void> {
    this.closedSlots += 1;
    this.logger.error(
      { name: task.name, closedSlots: this.closedSlots },
      'A handler ignores its abort signal; its slot stays closed until it ends.',
    );
    if (this.closedSlots > this.config.workerConcurrency * CLOSED_SHARE_MAX && !this.wornOut) {
      this.wornOut = true;
      this.shutdown.request('Too many handlers ignore their abort; this worker asks to be replaced.');
    }
    await work;
    this.closedSlots -= 1;
  }

  private async giveBack(worker: Buffer, task: ClaimedTask, code: 'unknown-handler' | 'suspect-waits', delayMs: number): Promise<Over> {
    const unhandled = code === 'unknown-handler';
    const message = unhandled
      ? 'This worker has no handler of this name and gave the task back.'
      : 'Another task that has killed its worker is running here; this one waits.';
    await this.settle(worker, task, { kind: 'released', delayMs, unhandled, error: { code, message } });
    return { leftover: null };
  }

  private async settle(worker: Buffer, task: ClaimedTask, verdict: Verdict): Promise<void> {
    const settled = await this.settler.settle({ worker, task, verdict });
    if (settled === 'fenced')
      this.logger.warn({ verdict: verdict.kind }, 'An outcome came too late and was not recorded: the task is no longer held here.');
    else this.logger.debug({ name: task.name, verdict: verdict.kind }, 'An attempt is recorded.');
  }

  private retryDefaults(): RetryDefaults {
    const { retryMaxAttempts, retryBackoff, retryBaseMs, retryMaxMs, retryJitter } = this.config;
    return { maxAttempts: retryMaxAttempts, backoff: retryBackoff, baseMs: retryBaseMs, maxMs: retryMaxMs, jitter: retryJitter };
  }
}

function suspectPause({ attempt, failures, crashes }: ClaimedTask): number {
  const waits = Math.max(0, attempt - 1 - failures - crashes);
  return SUSPECT_PAUSE_MS * 2 ** Math.min(waits, SUSPECT_DOUBLINGS_MAX);
}

const keyOf = (id: Buffer, attempt: number): string => `${id.toString('hex')} ${attempt}`;

/** Whatever the handler does becomes an ending; this never rejects. */
function runHandler(handler: HandlerDefinition, task: ClaimedTask, context: TaskContext): Promise<Ending> {
  return Promise.resolve()
    .then(() => handler.run(JSON.parse(task.payload) as unknown, context))
    .then(
      (value): Ending => ({ kind: 'returned', value }),
      (thrown: unknown): Ending => ({ kind: 'threw', thrown }),
    );
}

/** The time a handler has after it was told to stop. Costs a timer only where one is told. */
class Grace {
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
