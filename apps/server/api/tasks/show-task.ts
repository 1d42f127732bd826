/**
 * Turns what the store knows into what the wire shows: times as ISO 8601, and no field a client has no business with. What a task
 * contains is left out here, and nowhere else, for callers that may not see it.
 */
import type { AttemptView, TaskView } from '@app/tasks';
import { formatInstant } from '../request/instant.js';
import { WITHHELD, type Sight } from './content-scope.js';
import type { AttemptResponse, TaskErrorResponse, TaskResponse } from './task.response.js';

export function showTask(task: TaskView, sight: Sight): TaskResponse {
  const whole = sight === 'whole';
  return {
    id: task.id,
    name: task.name,
    queue: task.queue,
    priority: task.priority,
    state: task.state,
    reason: task.reason,
    discarded: task.discarded,
    payload: whole ? task.payload : null,
    result: whole ? task.result : null,
    lastError: task.lastError === null ? null : showError(task.lastError, sight),
    attempt: task.attempt,
    failures: task.failures,
    crashes: task.crashes,
    maxAttempts: task.maxAttempts,
    retry: task.retry,
    progress: showProgress(task.progress, sight),
    tags: task.tags,
    metadata: whole ? task.metadata : null,
    contentWithheld: !whole,
    runAt: formatInstant(task.runAt),
    timeoutMs: task.timeoutMs,
    expiresAt: formatOptional(task.expiresAt),
    deadlineAt: formatOptional(task.deadlineAt),
    cancelRequested: task.cancelRequested,
    createdBy: task.createdBy,
    createdAt: formatInstant(task.createdAt),
    updatedAt: formatInstant(task.updatedAt),
    startedAt: formatOptional(task.startedAt),
    finishedAt: formatOptional(task.finishedAt),
  };
}

export function showAttempt(attempt: AttemptView, sight: Sight): AttemptResponse {
  return {
    attempt: attempt.attempt,
    outcome: attempt.outcome,
    workerId: attempt.workerId,
    startedAt: formatInstant(attempt.startedAt),
    finishedAt: formatInstant(attempt.finishedAt),
    error: attempt.error === null ? null : showError(attempt.error, sight),
    result: sight === 'whole' ? attempt.result : null,
    contentWithheld: sight !== 'whole',
  };
}

/** The code is of the platform or the handler's own naming; the message may repeat what the handler was given. */
export function showError({ code, message }: TaskErrorResponse, sight: Sight): TaskErrorResponse {
  return { code, message: sight === 'whole' ? message : WITHHELD };
}

function showProgress(progress: TaskView['progress'], sight: Sight): TaskResponse['progress'] {
  if (progress === null) {
    return null;
  }
  const { fraction, message, updatedAt } = progress;
  return { fraction, message: sight === 'whole' ? message : null, updatedAt: formatInstant(updatedAt) };
}

function formatOptional(ms: number | null): string | null {
  return ms === null ? null : formatInstant(ms);
}
