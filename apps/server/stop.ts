/**
 * Ends the process in order on SIGTERM or SIGINT, and by force when the budget is over or the signal comes again. The stages
 * are: take nothing new; finish or give back what is held, and let requests in flight have their answers; close connections.
 * An error that nobody caught takes the same way with a short budget and a non-zero code: after it nothing in memory can be
 * trusted, while everything that matters is in the database. The exception is one where a part of the process knows whose it is and
 * has dealt with it.
 */
import type { EventEmitter } from 'node:events';
import type { Server } from 'node:http';
import type { INestApplication } from '@nestjs/common';
import { Drain, pause, Shutdown, type Stage } from '@app/lifecycle';
import { currentContext, type Logger } from '@app/telemetry';
import { Farewell } from './farewell.js';

/** Budget after an uncaught error, in ms. */
const CRASH_MS = 5_000;
const SHARES: Readonly<Record<Stage, number>> = { drain: 0.2, finish: 0.65, close: 0.1 };
/** By when clients must have taken their answers. */
const CLOSED_SHARE = 0.88;
/** How long an idle connection is kept for a request that may be on its way. */
const LINGER_SHARE = 0.04;
const LINGER_MS_MAX = 1_000;
/** How long a stop waits for the end of the start. */
const START_SHARE = 0.4;

export class Stopping {
  private begun = false;
  private app: INestApplication | null = null;
  private farewell: Farewell | null = null;
  private readonly start = new AbortController();

  /** `exit`: the real one is taken now, because handlers get another, and an error that ends the process may have come from a handler. */
  constructor(
    private readonly logger: Logger,
    private readonly budgetMs: number,
    private readonly exit: (code: number) => void = process.exit.bind(process),
  ) {}

  /** From now on signals and errors that nobody caught end the process. Before there is an application there is nothing to put in order. */
  listen(events: EventEmitter = process): void {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      events.on(signal, () => {
        if (this.begun) {
          this.logger.error({ signal }, 'A second signal: the process ends at once.');
          this.exit(1);
          return;
        }
        this.logger.info({ signal }, 'Stopping.');
        void this.stop(this.budgetMs, 0);
      });
    }
    for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
      events.on(event, (err: unknown) => {
        const shutdown = this.app?.get(Shutdown, { strict: false });
        if (shutdown?.contains(err, event) === true) return;
        this.logger.fatal({ err, event }, 'An error that nobody caught; the process stops.');
        if (this.begun) return;
        if (shutdown !== undefined) shutdown.crashed = { taskId: currentContext()?.taskId ?? null };
        void this.stop(CRASH_MS, 1);
      });
    }
    // Whoever read our output may be gone; what a handler prints must not end the process for that.
    for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  }

  /** There is an application to stop, though it is not started yet. */
  attach(app: INestApplication): void {
    this.app = app;
    this.farewell = new Farewell(app.getHttpServer() as Server);
    app.get(Shutdown, { strict: false }).onRequest((reason) => {
      this.replace(reason);
    });
  }

  /** Its parts have all started, and can be stopped. */
  started(): void {
    this.start.abort();
  }

  /** The start has failed when its parts had begun: they end in order, within a few seconds. Whoever calls ends the process. */
  async abandon(): Promise<void> {
    this.begun = true;
    if (this.app === null) return;
    this.app.get(Drain, { strict: false }).begin();
    for (const stage of ['drain', 'finish', 'close'] as const) await this.stage(this.app, stage, CRASH_MS * SHARES[stage]);
  }

  /** A part of the process asks for its replacement. */
  private replace(reason: string): void {
    if (this.begun) return;
    this.logger.fatal({ reason }, 'The process stops to be replaced.');
    void this.stop(this.budgetMs, 1);
  }

  private async stop(budgetMs: number, code: number): Promise<void> {
    this.begun = true;
    if (this.app === null) {
      this.exit(code);
      return;
    }
    const forcedAt = performance.now() + budgetMs;
    setTimeout(() => {
      this.logger.error({ budgetMs }, 'The stop took too long; the process ends by force.');
      this.exit(1);
    }, budgetMs).unref();
    // A part that is just starting cannot be stopped yet, and would go on afterwards. After a crash there is no time for that.
    if (code === 0) await pause(budgetMs * START_SHARE, this.start.signal);
    const left = forcedAt - performance.now();
    this.app.get(Drain, { strict: false }).begin();
    const clean: boolean[] = [];
    clean.push(await this.stage(this.app, 'drain', left * SHARES.drain));
    clean.push(await this.stage(this.app, 'finish', left * SHARES.finish));
    await this.closeServer(this.app, left, forcedAt - performance.now() - left * (1 - CLOSED_SHARE));
    clean.push(await this.stage(this.app, 'close', left * SHARES.close));
    this.logger.info({ clean: clean.every(Boolean) }, 'Stopped.');
    this.exit(clean.every(Boolean) ? code : 1);
  }

  private async stage(app: INestApplication, stage: Stage, budgetMs: number): Promise<boolean> {
    const failures = await app.get(Shutdown, { strict: false }).run(stage, budgetMs);
    for (const { part, error } of failures) this.logger.error({ err: error, part, stage }, 'A part did not stop as it should.');
    return failures.length === 0;
  }

  /** Answers what is in flight and what is on its way, then closes the application. */
  private async closeServer(app: INestApplication, budgetMs: number, limitMs: number): Promise<void> {
    try {
      await this.farewell?.say(Math.min(LINGER_MS_MAX, budgetMs * LINGER_SHARE), limitMs);
      await app.close();
    } catch (err) {
      this.logger.error({ err }, 'The application did not close as it should.');
    }
  }
}
