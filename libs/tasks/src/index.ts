export { AbandonedResources, type Abandoned } from './abandoned.js';
export { BulkOperations, type BulkView, type NewBulk } from './bulk.js';
export { BulkRunner } from './bulk-runner.js';
export { TaskCanceller } from './cancel.js';
export { TaskCheckpoints } from './checkpoints.js';
export { TaskClaimer } from './claim.js';
export { ClaimNotes } from './claim-notes.js';
export { LimitedClaimer, type LimitedClaim } from './claim-limited.js';
export type { Backlog, ClaimedTask } from './claim.sql.js';
export { DeadLetters, type DeadLetterSummary } from './dead-letters.js';
export { TaskDiscarder } from './discard.js';
export { TASK_ENTITIES } from './entities.js';
export { TaskExpirer } from './expire.js';
export { BULK_ACTIONS, BULK_STATES, type BulkAction, type BulkState } from './history-entities.js';
export { TaskOperator } from './operate.js';
export { TaskProgressWriter } from './progress.js';
export { TaskPromoter } from './promote.js';
export { HistoryPruner, type Retention } from './prune.js';
export { EVERY_TENANT, Queues, type Pause } from './queues.js';
export { TaskQuotas, type Place } from './quotas.js';
export { heartbeatLatency, TaskReader } from './read.js';
export { TaskReconciler } from './reconcile.js';
export { UsageRecounter, type Correction } from './recount.js';
export { TaskRehearser, type Rehearsed } from './rehearse.js';
export { TaskResources, type RegisteredResource } from './resources.js';
export { TaskRetrier, type RetryChange } from './retry.js';
export { Ringer } from './ring.js';
export { TaskSettler, type Settled } from './settle.js';
export { type Settlement, type Verdict } from './settle.sql.js';
export {
  FAILURE_REASONS,
  isFinal,
  mayMove,
  MOVES,
  TASK_STATES,
  type AttemptOutcome,
  type FailureReason,
  type TaskState,
} from './states.js';
export { TaskSubmitter } from './submit.js';
export { TaskSweeper } from './sweep.js';
export {
  BACKOFFS,
  TASK_LIMITS,
  type AttemptView,
  type Backoff,
  type IdempotencyClaim,
  type NewTask,
  type QueueView,
  type RetryPolicy,
  type Submitted,
  type TaskError,
  type TaskFilter,
  type TaskPage,
  type TaskView,
  type WorkerView,
} from './task.js';
export { TaskTimeline, TIMELINE_KINDS, type Timeline, type TimelineItem, type TimelineKind } from './timeline.js';
export { TaskWaiter } from './wait.js';
export { Workers, type Registration } from './workers.js';
export { RunnableNames, sweepEveryMs, TasksModule } from './tasks.module.js';
export { takeOver } from './take-over.js';
