/**
 * One attempt, step by step: set the clocks, run the handler, stop it if something asks, classify what it did, settle. Whoever
 * calls decides when and beside what it runs; here is only what happens to one task.
 */
import { Inject, Injectable } from '@nestjs/common';
import { Config } from '@app/config';
import { effectiveRetry, type HandlerDefinition, type HandlerLogger, type RetryDefaults } from '@app/handlers';
import { Clock, failpoint } from '@app/lifecycle';
import { TaskSettler, type ClaimedTask, type Verdict } from '@app/tasks';
import { Logger } from '@app/telemetry';
import { handlerLogger, makeContext } from './attempt-context.js';
import { ownPolicy } from './backoff.js';
import { classify, type Ending, type StopReason } from './classify.js';
import { NOTHING_INHERITED, type Inheritance } from './desk.js';
import { leaseKnown, type HandlerOrder, type Held } from './held.js';
import { handlerError } from './handler-error.js';
import type { IsolatedRun } from './isolates/isolated-run.js';
import { Isolates } from './isolates/isolates.js';
import { Desks } from './local-desk.js';
import { Grace, refusalOf, runHandler } from './run-handler.js';

/** How many outcomes that came too late are remembered, until their worker is told that it was lost. */
const FENCED_MAX = 10_000;

/** How long a task stays away whose inheritance could not be read, in ms; up to twice as long. */
const UNREADABLE_PAUSE_MS = 2_000;

/** An attempt that is over; `leftover` is the handler that goes on although it was told to stop. */
export interface Over {
  leftover: Promise<unknown> | null;
}

@Injectable()
export class Attempts {
  private fenced: Buffer[] = [];
  private readonly handlerLogger: HandlerLogger;
  private readonly retryDefaults: RetryDefaults;

  constructor(
    @Inject(Config) private readonly config: Config,
    @Inject(TaskSettler) private readonly settler: TaskSettler,
    @Inject(Desks) private readonly desks: Desks,
    @Inject(Isolates) private readonly isolates: Pick<Isolates, 'begin'>,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Logger) private readonly logger: Logger,
  ) {
    this.handlerLogger = handlerLogger(logger);
    const { retryMaxAttempts, retryBackoff, retryBaseMs, retryMaxMs, retryJitter } = config;
    this.retryDefaults = {
      maxAttempts: retryMaxAttempts,
      backoff: retryBackoff,
      baseMs: retryBaseMs,
      maxMs: retryMaxMs,
      jitter: retryJitter,
    };
  }

  /** Tasks whose outcome came too late, since this was last asked: their worker was thought dead, and was not. */
  takeFenced(): Buffer[] {
    return this.fenced.splice(0);
  }

  async execute(held: Held, handler: HandlerDefinition): Promise<Over> {
    const { worker, task } = held;
    const inherited = task.attempt === 1 ? NOTHING_INHERITED : await this.inherit(task, handler);
    if (inherited === null) {
      const error = { code: 'not-inherited', message: 'What earlier attempts left could not be read; the task was given back.' };
      await this.settle(worker, task, {
        kind: 'released',
        delayMs: Math.round(UNREADABLE_PAUSE_MS * (1 + Math.random())),
        unhandled: false,
        error,
      });
      return { leftover: null };
    }
    failpoint('run.starting');
    if (!held.isLeased()) await leaseKnown(held);
    if (held.stopped === 'gone') return { leftover: null };
    if (held.stopped !== null) {
      await this.settle(worker, task, this.verdictOf({ kind: 'ignored' }, held.stopped, task, handler, 0));
      return { leftover: null };
    }
    const { timeoutMs, deadlineFirst, startedAt } = this.limitOf(held, handler);
    if (timeoutMs <= 0) {
      await this.settle(worker, task, this.verdictOf({ kind: 'ignored' }, 'deadline', task, handler, 0));
      return { leftover: null };
    }
    const abort = new AbortController();
    const grace = new Grace(this.config.workerAbortGraceMs);
    let stopped: HandlerOrder | null = null;
    let isolated: IsolatedRun | null = null;
    const stop = (order: HandlerOrder): void => {
      // The first reason counts, except that a lost lease takes away the right to write whatever came before.
      if (stopped === null || order === 'gone') stopped = order;
      const name = order === 'timeout' || order === 'deadline' ? 'TimeoutError' : 'AbortError';
      abort.abort(new DOMException(`The attempt was stopped: ${order}.`, name));
      if (isolated === null) grace.begin();
      else isolated.stop(order);
    };
    held.stop = stop;
    const timer = setTimeout(stop, timeoutMs, deadlineFirst ? 'deadline' : 'timeout');
    const desk = this.desks.open(worker, task, handler);
    const { context, end } = makeContext(task, {
      abort,
      deadline: new Date(startedAt + timeoutMs),
      logger: this.handlerLogger,
      desk,
      inherited,
    });
    const refusal = refusalOf(handler, task);
    if (handler.isolation !== undefined && refusal === null)
      isolated = this.isolates.begin(handler, held, { deadline: startedAt + timeoutMs, desk, inherited });
    const work = refusal !== null ? Promise.resolve(refusal) : isolated === null ? runHandler(handler, task, context) : isolated.ending;
    const ending = await grace.whichever(work);
    failpoint('run.ended');
    clearTimeout(timer);
    grace.end();
    end();
    desk.close();
    held.ended = true;
    const order = stopped as HandlerOrder | null;
    const leftover = ending.kind === 'ignored' ? work : (isolated?.leftover ?? null);
    // If the lease is not mine, I do not write.
    if (order === 'gone') return { leftover };
    const broken: Ending = { kind: 'threw', thrown: held.broken };
    const verdict =
      order === 'broken' ? this.verdictOf(broken, null, task, handler, timeoutMs) : this.verdictOf(ending, order, task, handler, timeoutMs);
    if (ending.kind === 'threw' && refusal === null && order === null && 'error' in verdict) {
      // What an isolated one has thrown was made anew here, and says nothing of where.
      const err = isolated === null ? handlerError(ending.thrown) : { code: verdict.error?.code };
      this.logger.info({ verdict: verdict.kind, err }, 'A handler has thrown.');
    }
    await this.settle(worker, task, verdict);
    return { leftover };
  }

  /** Null where it cannot be read: an attempt that does not know where the last one stopped must not begin. */
  private async inherit(task: ClaimedTask, handler: HandlerDefinition): Promise<Inheritance | null> {
    try {
      return await this.desks.inherit(task, handler);
    } catch (err) {
      this.logger.warn({ err }, 'What earlier attempts left could not be read; the task is given back.');
      return null;
    }
  }

  async settle(worker: Buffer, task: ClaimedTask, verdict: Verdict): Promise<void> {
    const settled = await this.settler.settle({ worker, task, verdict });
    failpoint('settle.known');
    if (settled === 'settled') {
      this.logger.debug({ name: task.name, verdict: verdict.kind }, 'An attempt is recorded.');
      return;
    }
    if (this.fenced.push(task.bytes) > FENCED_MAX) this.fenced.shift();
    this.logger.warn({ verdict: verdict.kind }, 'An outcome came too late and was not recorded: the task is no longer held here.');
  }

  private verdictOf(ending: Ending, reason: StopReason | null, task: ClaimedTask, handler: HandlerDefinition, timeoutMs: number): Verdict {
    const { resultMaxBytes: resultBytesMax, snoozesMax } = this.config;
    const retry = (): RetryDefaults => effectiveRetry(ownPolicy(task), handler.retry, this.retryDefaults);
    return classify(ending, reason, { task, handler, retry, resultBytesMax, snoozesMax, timeoutMs, random: Math.random });
  }

  /**
   * The shorter of the attempt's own timeout and what is left of the task's life, in ms from now, the start of the handler; and when
   * that is, by the database's clock. A task may wait between its claim and its start, for a suspect or for its lease: its own timeout
   * does not run meanwhile, because it would end what was never begun; the life of the task does.
   */
  private limitOf({ task, claimedAt }: Held, handler: HandlerDefinition): { timeoutMs: number; deadlineFirst: boolean; startedAt: number } {
    const asked = ownPolicy(task).timeoutMs;
    const own = asked > 0 ? asked : (handler.timeoutMs ?? this.config.taskTimeoutMs);
    const startedAt = task.startedAt + Math.round(this.clock.monotonic() - claimedAt);
    const left = task.deadlineAt > 0 ? Math.max(0, task.deadlineAt - startedAt) : Number.POSITIVE_INFINITY;
    return { timeoutMs: Math.min(own, left), deadlineFirst: left < own, startedAt };
  }
}
