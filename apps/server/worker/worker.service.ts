/**
 * Starts and stops a worker: lease first, then readers and drawer; in reverse when it stops. A stop takes nothing new, lets
 * what runs finish, then tells it to stop and gives back what did not, while the heartbeat goes on to the very end: a worker
 * that stopped beating before its work was done would have its tasks started elsewhere.
 */
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { failpoint, pause, Shutdown } from '@app/lifecycle';
import { TaskSettler } from '@app/tasks';
import { Logger } from '@app/telemetry';
import { Abandonment } from './abandon.js';
import { Audit } from './audit.js';
import { Cancels } from './cancels.js';
import { Containment } from './containment.js';
import { Drawer } from './drawer.js';
import { Executor } from './executor.js';
import { Lease } from './lease.js';
import { Readers } from './readers.js';
import { Watch } from './watch.js';

/** Shares of the budget: running handlers undisturbed until the first, told to stop until the second, the rest to record. */
const UNDISTURBED_SHARE = 0.6;
const STOPPED_SHARE = 0.85;
/** How long giving back what is left may take; a database that is away must not keep the process from its end. */
const GIVEN_BACK_SHARE = 0.08;

@Injectable()
export class WorkerService implements OnApplicationBootstrap {
  constructor(
    @Inject(Lease) private readonly lease: Lease,
    @Inject(Watch) private readonly watch: Watch,
    @Inject(Readers) private readonly readers: Readers,
    @Inject(Drawer) private readonly drawer: Drawer,
    @Inject(Cancels) private readonly cancels: Cancels,
    @Inject(Audit) private readonly audit: Audit,
    @Inject(Abandonment) private readonly abandonment: Abandonment,
    @Inject(Containment) private readonly containment: Containment,
    @Inject(Executor) private readonly executor: Executor,
    @Inject(TaskSettler) private readonly settler: TaskSettler,
    @Inject(Shutdown) private readonly shutdown: Shutdown,
    @Inject(Logger) private readonly logger: Logger,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    // It stays to the very end: a handler that nobody could stop must not decide how the process ends.
    this.containment.start();
    await this.lease.start();
    this.watch.start();
    await this.readers.start();
    this.drawer.start();
    this.cancels.start();
    this.audit.start();
    this.abandonment.start();
    this.shutdown.on('drain', 'worker', () => this.takeNothingNew());
    this.shutdown.on('finish', 'worker', (budgetMs) => this.finish(budgetMs));
  }

  private async takeNothingNew(): Promise<void> {
    // Its hooks are told to stop now, and waited for at the end.
    void this.abandonment.stop();
    await Promise.all([this.readers.stop(), this.drawer.stop(), this.audit.stop()]);
    failpoint('drain.closed');
    await this.lease.retire();
    failpoint('drain.retired');
  }

  private async finish(budgetMs: number): Promise<void> {
    const { crashed } = this.shutdown;
    // After an error that nobody caught nothing in memory is to be trusted; what runs is told to the database, not waited for.
    if (crashed !== null) await this.executor.crash(crashed.taskId);
    await this.executor.idle(AbortSignal.timeout(Math.round(budgetMs * UNDISTURBED_SHARE)));
    this.executor.stopAll('shutdown');
    await this.executor.idle(AbortSignal.timeout(Math.round(budgetMs * (STOPPED_SHARE - UNDISTURBED_SHARE))));
    const left = this.executor.count;
    const givenBack = Promise.all([this.executor.abandon(), this.abandonment.stop()]);
    await Promise.race([givenBack, pause(Math.round(budgetMs * GIVEN_BACK_SHARE))]);
    this.settler.stop();
    await this.settler.drained();
    await this.cancels.stop();
    failpoint('drain.idle');
    await this.lease.stop();
    await this.watch.stop();
    failpoint('drain.stopped');
    this.logger.info({ abandoned: left }, 'The worker has stopped.');
  }
}
