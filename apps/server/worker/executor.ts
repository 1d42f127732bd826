/**
 * Holds what the worker runs, from claim to recorded outcome, and decides beside what each task may run. The slot is given back
 * when the outcome is recorded, except where a handler ignores its abort: its work cannot be stopped inside this process, so its
 * slot stays closed until it ends by itself, and a worker with too many such slots asks to be replaced.
 */
import { AsyncResource } from 'node:async_hooks';
import { Inject, Injectable } from '@nestjs/common';
import { Config } from '@app/config';
import { idText } from '@app/database';
import { HandlerRegistry, type HandlerDefinition } from '@app/handlers';
import { Clock, pause, Shutdown } from '@app/lifecycle';
import { TaskSettler, Workers, type ClaimedTask, type Verdict } from '@app/tasks';
import { Logger, runWithContext } from '@app/telemetry';
import { Attempts, type Over } from './attempt.js';
import { breakHeld, holding, stopHeld, type Held } from './held.js';
import { HeldTasks } from './held-tasks.js';
import { Suspects } from './suspects.js';

/** How long a suspect that found too many others waiting stays away, in ms; up to three times as long. */
const SUSPECT_PAUSE_MS = 1_000;
/** How long what runs already may take to leave a suspect alone, in ms. */
const ISOLATION_MS = 5_000;
/** Share of the slots that may be closed by handlers that ignore their abort before the worker asks to be replaced. */
const CLOSED_SHARE_MAX = 0.5;
const IDLE_LOOK_MS = 20;
const NOT_RECORDED = 'The outcome of an attempt could not be recorded; the task is given back, or swept when the lease ends.';

@Injectable()
export class Executor {
  private readonly running = new HeldTasks();
  private closedSlots = 0;
  private wornOut = false;

  constructor(
    @Inject(Config) private readonly config: Config,
    @Inject(HandlerRegistry) private readonly registry: HandlerRegistry,
    @Inject(TaskSettler) private readonly settler: TaskSettler,
    @Inject(Attempts) private readonly attempts: Attempts,
    @Inject(Workers) private readonly workers: Pick<Workers, 'setSolo'>,
    @Inject(Suspects) private readonly suspects: Suspects,
    @Inject(Shutdown) private readonly shutdown: Shutdown,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Logger) private readonly logger: Logger,
  ) {}

  get count(): number {
    return this.running.size;
  }

  /** What this worker held when it was declared lost: what it holds, and what came too late since then. */
  takeHeld(): Buffer[] {
    return [...this.running.list().map(({ task }) => task.bytes), ...this.attempts.takeFenced()];
  }

  /**
   * Gives back an attempt that nobody here runs. It is held from now until that is recorded, so that no claim begins it. Resolves then; never
   * rejects.
   */
  async disown(worker: Buffer, task: ClaimedTask, error: { code: string; message: string }): Promise<void> {
    const held = holding(worker, task, () => false, this.clock.monotonic());
    this.running.add(held);
    try {
      await this.attempts.settle(worker, task, { kind: 'released', delayMs: 0, unhandled: false, error });
    } catch (err) {
      this.logger.error({ err }, NOT_RECORDED);
    } finally {
      this.running.delete(held);
    }
  }

  /** Whether this very attempt is held. */
  holds(task: Pick<ClaimedTask, 'id' | 'attempt'>): boolean {
    return this.running.find(task) !== undefined;
  }

  /** The attempts of these tasks that are held at this moment; by the time they are asked for, some may have ended. */
  heldNow(ids: readonly Buffer[]): { has(task: Pick<ClaimedTask, 'id' | 'attempt'>): boolean } {
    const now = this.running.size === 0 ? [] : ids.flatMap((id) => this.running.of(idText(id)));
    return { has: ({ id, attempt }) => now.some(({ task }) => task.id === id && task.attempt === attempt) };
  }

  /** Asks one task to stop because somebody cancelled it. */
  cancel(id: Buffer): void {
    for (const held of this.running.of(idText(id))) stopHeld(held, 'cancel');
  }

  /** Fails this attempt with an error that its handler did not throw itself; false where no such attempt runs. */
  fail(taskId: string, attempt: number, error: Error): boolean {
    const held = this.running.find({ id: taskId, attempt });
    return held !== undefined && breakHeld(held, error);
  }

  /** Asks every handler to stop. */
  stopAll(reason: 'shutdown' | 'gone'): void {
    for (const held of this.running.list()) stopHeld(held, reason);
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
    const left = this.running.list().map((held) => ({ ...held, verdict: verdictOf(held) }));
    this.stopAll('gone');
    await Promise.allSettled(left.map(({ worker, task, verdict }) => this.settler.settle({ worker, task, verdict })));
  }

  /** Resolves when nothing is held any more. */
  async idle(signal: AbortSignal): Promise<void> {
    while (this.running.size > 0 && !signal.aborted) await pause(IDLE_LOOK_MS, signal);
  }

  /**
   * Resolves when the slot may be used again: when the outcome is recorded (or fenced), or, where the handler ignored its abort,
   * when the handler has ended. Never rejects. `claimedAt`: when the answer to the claim was here, in ms of the monotonic clock.
   */
  run(worker: Buffer, task: ClaimedTask, isLeased: () => boolean, claimedAt = this.clock.monotonic()): Promise<void> {
    const handler = this.registry.standIn(task.name, task.fallbacks);
    const held = holding(worker, task, isLeased, claimedAt);
    this.running.add(held);
    const { id: taskId, attempt, tenant } = task;
    // A fallback stands in under a name of its own.
    const context = { taskId, attempt, tenant, handler: handler?.name ?? task.name };
    // A resource of its own, because a handler may leave something in the asynchronous context that it begins in, and that is the claim's:
    // without it the next task of the claim would find it, and whatever else the claim goes on to do.
    return new AsyncResource('Attempt').runInAsyncScope(() => runWithContext(context, () => this.carryOut(held, handler)));
  }

  private async carryOut(held: Held, handler: HandlerDefinition | undefined): Promise<void> {
    let leftover: Promise<unknown> | null = null;
    try {
      ({ leftover } = await this.attempt(held, handler));
    } catch (err) {
      this.logger.error({ err }, NOT_RECORDED);
    } finally {
      this.running.delete(held);
    }
    if (leftover !== null) await this.outlast(held.task, leftover);
  }

  /** Lets the task in: beside the others, or, for a suspect, by itself. */
  private attempt(held: Held, handler: HandlerDefinition | undefined): Promise<Over> {
    const { worker, task } = held;
    if (handler === undefined) return this.giveBack(worker, task, 'unknown-handler', this.config.unknownHandlerPauseMs);
    // Held back here nobody would hear its cancel or its deadline, for as long as the suspect runs.
    const isSuspect = this.isSuspect(task);
    const mustWait = isSuspect ? this.suspects.full : this.suspects.closed;
    if (mustWait) return this.giveBack(worker, task, 'suspect-waits', Math.round(SUSPECT_PAUSE_MS * (1 + 2 * Math.random())));
    if (!isSuspect) return this.attempts.execute(held, handler);
    return this.attemptAlone(held, handler);
  }

  private async attemptAlone(held: Held, handler: HandlerDefinition): Promise<Over> {
    return (await this.suspects.alone(() => this.isolated(held, handler))) ?? this.attempts.execute(held, handler);
  }

  /**
   * Waits a moment to be alone; then the worker's row says so for as long as the handler runs. Null where it is not: in company it has to
   * run as everybody does, and nobody is kept out for it.
   */
  private async isolated(held: Held, handler: HandlerDefinition): Promise<Over | null> {
    const { worker, task } = held;
    const giveUp = AbortSignal.timeout(ISOLATION_MS);
    const others = (): boolean => this.suspects.hooks > 0 || this.running.list().some(({ stop }) => stop !== null);
    while (others() && held.stopped === null && !giveUp.aborted) await pause(IDLE_LOOK_MS, giveUp);
    if (others() || held.stopped !== null) return null;
    await this.workers.setSolo(worker, task.bytes);
    try {
      return await this.attempts.execute(held, handler);
    } finally {
      await this.workers.setSolo(worker, null);
    }
  }

  /**
   * One more crash may make it poison, so it should crash alone if it does: its neighbours could not be told from it. Before
   * that it runs among the others, because most crashes are nobody's fault and a task on its own is a task that waits.
   */
  private isSuspect(task: ClaimedTask): boolean {
    return task.crashes > 0 && task.crashes >= this.config.poisonCrashes - 1;
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
      : 'A task that was there when its worker died runs by itself here; the others were given back.';
    await this.attempts.settle(worker, task, { kind: 'released', delayMs, unhandled, error: { code, message } });
    return { leftover: null };
  }
}
