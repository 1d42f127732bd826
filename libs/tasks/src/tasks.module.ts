/** Makes the actors of this lib; a role takes the ones it needs. */
import { Global, Module, type Provider } from '@nestjs/common';
import { Config } from '@app/config';
import { Database } from '@app/database';
import { Clock, Drain } from '@app/lifecycle';
import { Doorbell } from '@app/queue';
import { Logger } from '@app/telemetry';
import { TaskCanceller } from './cancel.js';
import { TaskCheckpoints } from './checkpoints.js';
import { TaskClaimer } from './claim.js';
import { TaskExpirer } from './expire.js';
import { TaskProgressWriter } from './progress.js';
import { TaskPromoter } from './promote.js';
import { HistoryPruner } from './prune.js';
import { Queues } from './queues.js';
import { TaskReader } from './read.js';
import { TaskReconciler } from './reconcile.js';
import { TaskResources } from './resources.js';
import { TaskRetrier } from './retry.js';
import { Ringer } from './ring.js';
import { TaskSettler } from './settle.js';
import { TaskSubmitter } from './submit.js';
import { TaskSweeper } from './sweep.js';
import { TaskIds } from './task-id.js';
import { TaskWaiter } from './wait.js';
import { Workers } from './workers.js';

/** How long the row of a worker that is gone is kept: a day, for those who look in the morning. */
const WORKERS_KEPT_MS = 86_400_000;

/** Which names can run, provided only where this process knows all handlers: there an unknown name is refused at submission. */
export abstract class RunnableNames {
  abstract has(name: string): boolean;
}

/** A lease must be watched several times before it can end. */
export function sweepEveryMs(config: Config): number {
  return Math.min(config.schedulerSweepMs, Math.round(config.workerLeaseMs / 3));
}

function providers(): Provider[] {
  const warn =
    (logger: Logger, message: string) =>
    (err: unknown): void => {
      logger.warn({ err }, message);
    };
  return [
    { provide: TaskIds, inject: [Clock], useFactory: (clock: Clock) => new TaskIds(clock) },
    {
      provide: Ringer,
      inject: [Database, Doorbell, Logger],
      useFactory: (database: Database, doorbell: Doorbell, logger: Logger) =>
        new Ringer(database, doorbell, warn(logger, 'Ringing failed; the tasks wait for a worker to look by itself.')),
    },
    {
      provide: TaskSubmitter,
      inject: [Database, Ringer, TaskReader, TaskIds, { token: RunnableNames, optional: true }],
      useFactory: (database: Database, ringer: Ringer, reader: TaskReader, ids: TaskIds, names?: RunnableNames) =>
        new TaskSubmitter(database, ringer, reader, ids, names ?? null),
    },
    { provide: TaskReader, inject: [Database], useFactory: (database: Database) => new TaskReader(database) },
    {
      provide: TaskCanceller,
      inject: [Database, TaskReader],
      useFactory: (database: Database, reader: TaskReader) => new TaskCanceller(database, reader),
    },
    {
      provide: TaskRetrier,
      inject: [Database, TaskReader, Ringer],
      useFactory: (database: Database, reader: TaskReader, ringer: Ringer) => new TaskRetrier(database, reader, ringer),
    },
    {
      provide: TaskWaiter,
      inject: [Database, TaskReader, Drain],
      useFactory: (database: Database, reader: TaskReader, drain: Drain) => new TaskWaiter(database, reader, drain),
    },
    { provide: Queues, inject: [Database], useFactory: (database: Database) => new Queues(database) },
    { provide: Workers, inject: [Database], useFactory: (database: Database) => new Workers(database) },
    { provide: TaskClaimer, inject: [Database], useFactory: (database: Database) => new TaskClaimer(database) },
    {
      provide: TaskSettler,
      inject: [Database, Ringer, Config, Logger],
      useFactory: (database: Database, ringer: Ringer, config: Config, logger: Logger) =>
        new TaskSettler(
          database,
          ringer,
          config.unknownHandlerGraceMs,
          warn(logger, 'Outcomes could not be recorded yet; they are held and tried again.'),
        ),
    },
    { provide: TaskCheckpoints, inject: [Database], useFactory: (database: Database) => new TaskCheckpoints(database) },
    {
      provide: TaskResources,
      inject: [Database, TaskIds],
      useFactory: (database: Database, ids: TaskIds) => new TaskResources(database, ids),
    },
    { provide: TaskProgressWriter, inject: [Database], useFactory: (database: Database) => new TaskProgressWriter(database) },
    {
      provide: TaskPromoter,
      inject: [Database, Ringer],
      useFactory: (database: Database, ringer: Ringer) => new TaskPromoter(database, ringer),
    },
    {
      provide: TaskExpirer,
      inject: [Database, Config],
      useFactory: (database: Database, config: Config) => new TaskExpirer(database, config.unknownHandlerGraceMs),
    },
    {
      provide: TaskSweeper,
      inject: [Database, Ringer, Clock, Config],
      useFactory: (database: Database, ringer: Ringer, clock: Clock, config: Config) =>
        new TaskSweeper(database, ringer, clock, config.poisonCrashes, sweepEveryMs(config)),
    },
    {
      provide: TaskReconciler,
      inject: [Database, Doorbell, Config],
      useFactory: (database: Database, doorbell: Doorbell, config: Config) =>
        new TaskReconciler(database, doorbell, config.reconcileGraceMs),
    },
    {
      provide: HistoryPruner,
      inject: [Database, Config],
      useFactory: (database: Database, config: Config) =>
        new HistoryPruner(database, {
          tasks: {
            succeeded: config.retentionSucceededMs,
            failed: config.retentionFailedMs,
            cancelled: config.retentionCancelledMs,
            expired: config.retentionExpiredMs,
          },
          idempotencyMs: config.idempotencyRetentionMs,
          workersMs: WORKERS_KEPT_MS,
        }),
    },
  ];
}

const made = providers();

@Global()
@Module({ providers: made, exports: made })
export class TasksModule {}
