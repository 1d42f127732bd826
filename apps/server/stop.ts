/**
 * Ends the process in order on SIGTERM or SIGINT, and by force when the budget is over or the signal comes again. The stages
 * are: take nothing new; finish or give back what is held, and let requests in flight have their answers; close connections.
 * An error that nobody caught takes the same way with a short budget and a non-zero code: after it nothing in memory can be
 * trusted, while everything that matters is in the database.
 */
import type { Server } from 'node:http';
import type { INestApplication } from '@nestjs/common';
import { Drain, Shutdown, type Stage } from '@app/lifecycle';
import { currentContext, type Logger } from '@app/telemetry';

/** Budget after an uncaught error, in ms. */
const CRASH_MS = 5_000;
const SHARES: Readonly<Record<Stage, number>> = { drain: 0.2, finish: 0.65, close: 0.1 };

export class Stopping {
  private begun = false;

  constructor(
    private readonly app: INestApplication,
    private readonly logger: Logger,
    private readonly budgetMs: number,
  ) {}

  listen(): void {
    this.app.get(Shutdown, { strict: false }).onRequest((reason) => {
      this.replace(reason);
    });
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (this.begun) {
          this.logger.error({ signal }, 'A second signal: the process ends at once.');
          process.exit(1);
        }
        this.logger.info({ signal }, 'Stopping.');
        void this.stop(this.budgetMs, 0);
      });
    }
    for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
      process.on(event, (err: unknown) => {
        this.logger.fatal({ err, event }, 'An error that nobody caught; the process stops.');
        if (this.begun) return;
        this.app.get(Shutdown, { strict: false }).crashed = { taskId: currentContext()?.taskId ?? null };
        void this.stop(CRASH_MS, 1);
      });
    }
  }

  /** A part of the process asks for its replacement. */
  private replace(reason: string): void {
    this.logger.fatal({ reason }, 'The process stops to be replaced.');
    if (!this.begun) void this.stop(this.budgetMs, 1);
  }

  private async stop(budgetMs: number, code: number): Promise<void> {
    this.begun = true;
    setTimeout(() => {
      this.logger.error({ budgetMs }, 'The stop took too long; the process ends by force.');
      process.exit(1);
    }, budgetMs).unref();
    this.app.get(Drain, { strict: false }).begin();
    const clean: boolean[] = [];
    clean.push(await this.stage('drain', budgetMs * SHARES.drain));
    clean.push(await this.stage('finish', budgetMs * SHARES.finish));
    await this.closeServer();
    clean.push(await this.stage('close', budgetMs * SHARES.close));
    this.logger.info({ clean: clean.every(Boolean) }, 'Stopped.');
    process.exit(clean.every(Boolean) ? code : 1);
  }

  private async stage(stage: Stage, budgetMs: number): Promise<boolean> {
    const failures = await this.app.get(Shutdown, { strict: false }).run(stage, budgetMs);
    for (const { part, error } of failures) this.logger.error({ err: error, part, stage }, 'A part did not stop as it should.');
    return failures.length === 0;
  }

  /** Answers what is in flight, drops connections that only idle, then closes the application. */
  private async closeServer(): Promise<void> {
    const server = this.app.getHttpServer() as Server;
    const idle = setInterval(() => {
      server.closeIdleConnections();
    }, 50);
    try {
      await this.app.close();
    } catch (err) {
      this.logger.error({ err }, 'The application did not close as it should.');
    } finally {
      clearInterval(idle);
    }
  }
}
