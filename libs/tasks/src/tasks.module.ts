/** Makes the actors of this lib; a role takes the ones it needs. */
import { Global, Module, type Provider } from '@nestjs/common';
import { Config } from '@app/config';
import { Database, RowIds } from '@app/database';
import { Clock, Drain } from '@app/lifecycle';
import { LimitBook } from '@app/limits';
import { Doorbell } from '@app/queue';
import { Logger, repeatedWarning } from '@app/telemetry';
import { AbandonedResources } from './abandoned.js';
import { BulkOperations } from './bulk.js';
import { BulkRunner } from './bulk-runner.js';
import { TaskCanceller } from './cancel.js';
import { TaskCheckpoints } from './checkpoints.js';
import { TaskClaimer } from './claim.js';
import { LimitedClaimer } from './claim-limited.js';
import { ClaimNotes } from './claim-notes.js';
import { DeadLetters } from './dead-letters.js';
import { TaskDiscarder } from './discard.js';
import { TaskExpirer } from './expire.js';
import { TaskOperator } from './operate.js';
import { TaskProgressWriter } from './progress.js';
import { TaskPromoter } from './promote.js';
import { HistoryPruner } from './prune.js';
import { Queues } from './queues.js';
import { TaskQuotas } from './quotas.js';
import { TaskReader } from './read.js';
import { TaskReconciler } from './reconcile.js';
import { UsageRecounter } from './recount.js';
import { TaskRehearser } from './rehearse.js';
import { TaskResources } from './resources.js';
import { TaskRetrier } from './retry.js';
import { Ringer } from './ring.js';
import { TaskSettler } from './settle.js';
import { TaskSubmitter } from './submit.js';
import { TaskSweeper } from './sweep.js';
import { TaskTimeline } from './timeline.js';
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
  const warn = (logger: Logger, clock: Clock, message: string) => repeatedWarning(logger, () => clock.monotonic(), message);
  return [
    {
      provide: Ringer,
      inject: [Database, Doorbell, Logger, Clock],
      useFactory: (database: Database, doorbell: Doorbell, logger: Logger, clock: Clock) =>
        new Ringer(database, doorbell, warn(logger, clock, 'Ringing failed; the tasks wait for a worker to look by itself.')),
    },
    {
      provide: TaskQuotas,
      inject: [Database, LimitBook, RowIds],
      useFactory: (database: Database, book: LimitBook, ids: RowIds) => new TaskQuotas(database, book, ids),
    },
    {
      provide: TaskSubmitter,
      inject: [Database, Ringer, TaskReader, RowIds, TaskQuotas, { token: RunnableNames, optional: true }],
      useFactory: (database: Database, ringer: Ringer, reader: TaskReader, ids: RowIds, quotas: TaskQuotas, names?: RunnableNames) =>
        new TaskSubmitter(database, ringer, reader, ids, quotas, names ?? null),
    },
    {
      provide: TaskRehearser,
      inject: [Database, { token: RunnableNames, optional: true }],
      useFactory: (database: Database, names?: RunnableNames) => new TaskRehearser(database, names ?? null),
    },
    { provide: TaskTimeline, inject: [Database], useFactory: (database: Database) => new TaskTimeline(database) },
    { provide: TaskReader, inject: [Database], useFactory: (database: Database) => new TaskReader(database) },
    {
      provide: TaskOperator,
      inject: [Database, TaskReader, Ringer, RowIds, TaskQuotas],
      useFactory: (database: Database, reader: TaskReader, ringer: Ringer, ids: RowIds, quotas: TaskQuotas) =>
        new TaskOperator(database, reader, ringer, ids, quotas),
    },
    {
      provide: TaskCanceller,
      inject: [Database, TaskOperator],
      useFactory: (database: Database, operator: TaskOperator) => new TaskCanceller(database, operator),
    },
    { provide: TaskRetrier, inject: [TaskOperator], useFactory: (operator: TaskOperator) => new TaskRetrier(operator) },
    { provide: TaskDiscarder, inject: [TaskOperator], useFactory: (operator: TaskOperator) => new TaskDiscarder(operator) },
    { provide: DeadLetters, inject: [Database], useFactory: (database: Database) => new DeadLetters(database) },
    {
      provide: BulkOperations,
      inject: [Database, RowIds, Config],
      useFactory: (database: Database, ids: RowIds, config: Config) => new BulkOperations(database, ids, config.bulkRunningMax),
    },
    {
      provide: BulkRunner,
      inject: [Database, Ringer, TaskQuotas],
      useFactory: (database: Database, ringer: Ringer, quotas: TaskQuotas) => new BulkRunner(database, ringer, quotas),
    },
    {
      provide: TaskWaiter,
      inject: [Database, TaskReader, Drain],
      useFactory: (database: Database, reader: TaskReader, drain: Drain) => new TaskWaiter(database, reader, drain),
    },
    { provide: Queues, inject: [Database, RowIds], useFactory: (database: Database, ids: RowIds) => new Queues(database, ids) },
    { provide: Workers, inject: [Database], useFactory: (database: Database) => new Workers(database) },
    { provide: TaskClaimer, inject: [Database], useFactory: (database: Database) => new TaskClaimer(database) },
    { provide: ClaimNotes, inject: [Database], useFactory: (database: Database) => new ClaimNotes(database) },
    { provide: LimitedClaimer, inject: [Database], useFactory: (database: Database) => new LimitedClaimer(database) },
    {
      provide: TaskSettler,
      inject: [Database, Ringer, TaskQuotas, Config, Logger, Clock],
      useFactory: (database: Database, ringer: Ringer, quotas: TaskQuotas, config: Config, logger: Logger, clock: Clock) =>
        new TaskSettler(
          database,
          ringer,
          quotas,
          config.unknownHandlerGraceMs,
          warn(logger, clock, 'Outcomes could not be recorded yet; they are held and tried again.'),
        ),
    },
    { provide: TaskCheckpoints, inject: [Database], useFactory: (database: Database) => new TaskCheckpoints(database) },
    {
      provide: TaskResources,
      inject: [Database, RowIds, Config],
      useFactory: (database: Database, ids: RowIds, config: Config) => new TaskResources(database, ids, config.abandonLookMs),
    },
    {
      provide: AbandonedResources,
      inject: [Database, Config],
      useFactory: (database: Database, config: Config) => new AbandonedResources(database, config.abandonLookMs),
    },
    { provide: TaskProgressWriter, inject: [Database], useFactory: (database: Database) => new TaskProgressWriter(database) },
    {
      provide: TaskPromoter,
      inject: [Database, Ringer],
      useFactory: (database: Database, ringer: Ringer) => new TaskPromoter(database, ringer),
    },
    {
      provide: TaskExpirer,
      inject: [Database, TaskQuotas, Config],
      useFactory: (database: Database, quotas: TaskQuotas, config: Config) =>
        new TaskExpirer(database, quotas, config.unknownHandlerGraceMs),
    },
    {
      provide: TaskSweeper,
      inject: [Database, Ringer, TaskQuotas, ClaimNotes, Clock, Config],
      useFactory: (database: Database, ringer: Ringer, quotas: TaskQuotas, notes: ClaimNotes, clock: Clock, config: Config) =>
        new TaskSweeper(database, ringer, quotas, notes, clock, config.poisonCrashes, sweepEveryMs(config)),
    },
    {
      provide: TaskReconciler,
      inject: [Database, Doorbell, Config],
      useFactory: (database: Database, doorbell: Doorbell, config: Config) =>
        new TaskReconciler(database, doorbell, config.reconcileGraceMs),
    },
    {
      provide: UsageRecounter,
      inject: [Database, Config],
      useFactory: (database: Database, config: Config) => new UsageRecounter(database, config.usageRecountMs),
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
          auditMs: config.retentionAuditMs,
          bulkMs: config.retentionBulkMs,
        }),
    },
  ];
}

const made = providers();

@Global()
@Module({ providers: made, exports: made })
export class TasksModule {}
