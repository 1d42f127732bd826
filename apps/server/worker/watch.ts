/**
 * Has the worker's main loop watched, on every engine. On SQLite the file belongs to this process alone, so nobody can be blamed
 * from the watching thread: after the end of a process that stood still the crash counts against all that it ran.
 */
import { Inject, Injectable } from '@nestjs/common';
import { Config } from '@app/config';
import { Database, databaseTls, MainLoopWatch } from '@app/database';
import { Shutdown } from '@app/lifecycle';
import { Workers } from '@app/tasks';
import { RUNNING_CONTEXT } from '@app/telemetry';
import { Lease } from './lease.js';

@Injectable()
export class Watch {
  private watch: MainLoopWatch | null = null;

  constructor(
    @Inject(Config) private readonly config: Config,
    @Inject(Database) private readonly database: Database,
    @Inject(Workers) private readonly workers: Workers,
    @Inject(Lease) private readonly lease: Lease,
    @Inject(Shutdown) private readonly shutdown: Shutdown,
  ) {}

  start(): void {
    const { role, databaseUrl: url, workerBlockWarnMs: warnMs, workerStallMs: stallMs } = this.config;
    const embedded = this.database.dialect.engine === 'sqlite';
    this.watch = new MainLoopWatch({
      role,
      warnMs,
      stallMs,
      question: RUNNING_CONTEXT,
      blame: embedded ? null : { url, tls: databaseTls(this.config), statement: this.workers.blame, workerId: () => this.lease.id },
      onDeath: () => {
        this.shutdown.request('The thread that watches the main loop is gone.');
      },
    });
  }

  async stop(): Promise<void> {
    await this.watch?.stop();
    this.watch = null;
  }
}
