/**
 * Runs one claimed task from claim to recorded outcome, as a list of steps: find the handler, set the clocks, run it, stop it
 * if something asks, classify, settle. The slot is given back when the outcome is recorded, except where a handler ignores
 * its abort: its work cannot be stopped inside this process, so its slot stays closed until it ends by itself, and a worker
 * with too many such slots asks to be replaced.
 */
import { Inject, Injectable } from '@nestjs/common';
import { Config } from '@app/config';
import { HandlerRegistry, type HandlerDefinition } from '@app/handlers';
import { pause, Shutdown } from '@app/lifecycle';
import { TaskProgressWriter, TaskSettler, Workers, type ClaimedTask, type Verdict } from '@app/tasks';
import { Logger, runWithContext } from '@app/telemetry';
import { makeContext } from './attempt-context.js';
import { effectiveRetry, type RetryDefaults } from './backoff.js';
import { classify, type Ending, type StopReason } from './classify.js';
import { Isolation } from './isolation.js';
import { Grace, runHandler } from './run-handler.js';

/** How long a suspect that found too many others waiting stays away, in ms; up to three times as long. */
const SUSPECT_PAUSE_MS = 1_000;
/** How long what runs already may take to leave a suspect alone, in ms. */
const ISOLATION_MS = 5_000;
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
  /** Set where the stop came before the handler. */
  stopped: StopReason | 'gone' | null;
}

@Injectable()
export class Executor {
  /** What is held, by id and attempt: an older attempt of the same task may still be on its way out. */
  private readonly running = new Map<string, Held>();
  private closedSlots = 0;
  private wornOut = false;

  constructor(
    @Inject(Config) private readonly config: Config,
    @Inject(HandlerRegistry) private readonly registry: HandlerRegistry,
    @Inject(TaskSettler) private readonly settler: TaskSettler,
    @Inject(Workers) private readonly workers: Pick<Workers, 'setSolo'>,
    @Inject(Isolation) private readonly isolation: Isolation,
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
    for (const held of this.running.values()) if (held.task.bytes.equals(id)) stopHeld(held, 'cancel');
  }

  /** Asks every handler to stop. `gone`: the lease is no longer ours, so nothing will be written. */
  stopAll(reason: 'shutdown' | 'gone'): void {
    for (const held of [...this.running.values()]) stopHeld(held, reason);
  }

  /**
   * Gives back what still runs, without waiting for its handlers: the process is about to end, and with it they. What they
   * still say is not heard. Resolves when that is recorded.
   */
  async abandon(): Promise<void> {
    const error = { code: 'worker-stopping', message: 'The worker was stopped before the handler ended, and gave the task back.' };
    await this.giveUp(() => ({ kind: 'released', delayMs: 0, unhandled: false, error }));
  }

  /**
   * As `abandon`, for a process that an error nobody caught has ended: a crash is counted against the task it came from, or,
   * where that cannot be told (`culprit` null), against all that ran.
   */
  async crash(culprit: string | null): Promise<void> {
    const error = { code: 'worker-crashed', message: 'An error that nobody caught ended the process that ran this attempt.' };
    await this.giveUp(({ task, stop }) => {
      const blamed = stop !== null && (culprit === null || culprit === task.id);
      if (!blamed) return { kind: 'released', delayMs: 0, unhandled: false, error };
      return { kind: 'crashed', poison: culprit !== null && task.crashes + 1 >= this.config.poisonCrashes, error };
    });
  }

  private async giveUp(verdictOf: (held: Held) => Verdict): Promise<void> {
    const left = [...this.running.values()].map((held) => ({ ...held, verdict: verdictOf(held) }));
    this.stopAll('gone');
    await Promise.allSettled(left.map(({ worker, task, verdict }) => this.settler.settle({ worker, task, verdict })));
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
    const held: Held = { worker, task, stop: null, stopped: null };
    this.running.set(key, held);
    await runWithContext({ taskId: task.id, attempt: task.attempt, tenant: task.tenant }, async () => {
      let leftover: Promise<unknown> | null = null;
      try {
        ({ leftover } = await this.attempt(held));
      } catch (err) {
        this.logger.error(
          { err },
          'The outcome of an attempt could not be recorded; the task is given back, or swept when the lease ends.',
        );
      } finally {
        this.running.delete(key);
      }
      if (leftover !== null) await this.outlast(task, leftover);
    });
  }

  /** Finds the handler, and lets the task in: beside the others, or, for a suspect, by itself. */
  private async attempt(held: Held): Promise<Over> {
    const { worker, task } = held;
    const handler = this.registry.get(task.name);
    if (handler === undefined) return this.giveBack(worker, task, 'unknown-handler', this.config.unknownHandlerPauseMs);
    if (!this.isSuspect(task)) {
      await this.isolation.opened();
      return this.execute(held, handler);
    }
    if (this.isolation.full) return this.giveBack(worker, task, 'suspect-waits', Math.round(SUSPECT_PAUSE_MS * (1 + 2 * Math.random())));
    return this.isolation.alone(() => this.isolated(held, handler));
  }

  /** Waits a moment to be alone; where it is, the worker's row says so for as long as the handler runs. */
  private async isolated(held: Held, handler: HandlerDefinition): Promise<Over> {
    const { worker, task } = held;
    const giveUp = AbortSignal.timeout(ISOLATION_MS);
    const others = (): boolean => [...this.running.values()].some(({ stop }) => stop !== null);
    while (others() && held.stopped === null && !giveUp.aborted) await pause(IDLE_LOOK_MS, giveUp);
    const alone = !others() && held.stopped === null && (await this.workers.setSolo(worker, task.bytes));
    try {
      return await this.execute(held, handler);
    } finally {
      if (alone) await this.workers.setSolo(worker, null);
    }
  }

  /** One attempt, step by step. */
  private async execute(held: Held, handler: HandlerDefinition): Promise<Over> {
    const { worker, task } = held;
    if (held.stopped === 'gone') return { leftover: null };
    if (held.stopped !== null) {
      const stopped: Ending = { kind: 'ignored' };
      await this.settle(worker, task, this.verdictOf(stopped, held.stopped, task, handler, 0));
      return { leftover: null };
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
    held.stop = stop;
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
    await this.settle(worker, task, this.verdictOf(ending, reason, task, handler, timeoutMs));
    return { leftover };
  }

  private verdictOf(ending: Ending, reason: StopReason | null, task: ClaimedTask, handler: HandlerDefinition, timeoutMs: number): Verdict {
    const retry = effectiveRetry(task, handler.retry, this.retryDefaults());
    return classify(ending, reason, { task, retry, resultBytesMax: this.config.resultMaxBytes, timeoutMs, random: Math.random() });
  }

  /**
   * One more crash may make it poison, so it should crash alone if it does: its neighbours could not be told from it. Before
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
      : 'Tasks that were there when their worker died run one by one; there are too many of them here.';
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

function stopHeld(held: Held, reason: StopReason | 'gone'): void {
  if (held.stop !== null) held.stop(reason);
  else if (held.stopped === null || reason === 'gone') held.stopped = reason;
}

const keyOf = (id: Buffer, attempt: number): string => `${id.toString('hex')} ${attempt}`;
