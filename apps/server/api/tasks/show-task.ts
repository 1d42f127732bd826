/** Turns what the store knows into what the wire shows: times as ISO 8601, and no field a client has no business with. */
import type { AttemptView, TaskView } from '@app/tasks';
import { formatInstant } from '../request/instant.js';
import type { AttemptResponse, TaskResponse } from './task.response.js';

export function showTask(task: TaskView): TaskResponse {
  return {
    id: task.id,
    name: task.name,
    queue: task.queue,
    priority: task.priority,
    state: task.state,
    reason: task.reason,
    discarded: task.discarded,
    payload: task.payload,
    result: task.result,
    lastError: task.lastError,
    attempt: task.attempt,
    failures: task.failures,
    crashes: task.crashes,
    maxAttempts: task.maxAttempts,
    retry: task.retry,
    progress: task.progress === null ? null : { ...task.progress, updatedAt: formatInstant(task.progress.updatedAt) },
    tags: task.tags,
    metadata: task.metadata,
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

export function showAttempt(attempt: AttemptView): AttemptResponse {
  return {
    attempt: attempt.attempt,
    outcome: attempt.outcome,
    workerId: attempt.workerId,
    startedAt: formatInstant(attempt.startedAt),
    finishedAt: formatInstant(attempt.finishedAt),
    error: attempt.error,
    result: attempt.result,
  };
}

function formatOptional(ms: number | null): string | null {
  return ms === null ? null : formatInstant(ms);
}
