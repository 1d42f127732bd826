/**
 * Answers a submission with `dryRun=true`: everything that a submission checks is checked, and the answer says under which options the
 * task would run. The defaults are those of this process; workers with another configuration have their own.
 */
import { Inject, Injectable } from '@nestjs/common';
import { Config } from '@app/config';
import { TaskRunnerError } from '@app/errors';
import { effectiveRetry, KnownHandlers, type RetryDefaults } from '@app/handlers';
import { LimitBook, TenantUsage, type Usage } from '@app/limits';
import { TaskRehearser, type NewTask, type Rehearsed } from '@app/tasks';
import { formatInstant } from '../request/instant.js';
import { invalidQuery } from '../request/query-reader.js';
import type { QuotaStateResponse, TaskPlanResponse } from './plan.response.js';

@Injectable()
export class Planner {
  constructor(
    @Inject(TaskRehearser) private readonly rehearser: TaskRehearser,
    @Inject(KnownHandlers) private readonly known: KnownHandlers,
    @Inject(LimitBook) private readonly limits: LimitBook,
    @Inject(TenantUsage) private readonly usage: TenantUsage,
    @Inject(Config) private readonly config: Config,
  ) {}

  /** @throws IdempotencyKeyReused, Unavailable, InvalidRequest `unknown-handler` */
  async plan(tenant: string, task: NewTask): Promise<TaskPlanResponse> {
    const [plan] = await this.planMany(tenant, [task]);
    if (plan === undefined || plan instanceof TaskRunnerError) throw plan ?? new Error('a task was not rehearsed');
    return plan;
  }

  /** One plan, or refusal, per task, in order. @throws Unavailable */
  async planMany(tenant: string, tasks: readonly NewTask[]): Promise<(TaskPlanResponse | TaskRunnerError)[]> {
    const [rehearsed, usage] = await Promise.all([this.rehearser.rehearse(tenant, tasks), this.usage.of(tenant)]);
    return tasks.flatMap((task, index) => {
      const found = rehearsed[index];
      return found === undefined ? [] : [found instanceof TaskRunnerError ? found : this.show(task, found, usage)];
    });
  }

  private show(task: NewTask, { replayOf, queuePaused, delayed }: Rehearsed, usage: Usage): TaskPlanResponse {
    const payloadBytes = Buffer.byteLength(task.payload);
    const handler = this.known.find(task.name);
    const { maxAttempts, ...retry } = effectiveRetry(
      { maxAttempts: task.maxAttempts ?? 0, retry: task.retry },
      handler?.retry,
      this.defaults(),
    );
    return {
      dryRun: true,
      name: task.name,
      handlerKnown: handler !== undefined,
      queue: task.queue,
      queuePaused,
      priority: task.priority,
      state: delayed ? 'scheduled' : 'queued',
      runAt: task.runAt === null ? null : formatInstant(task.runAt),
      delayMs: task.delayMs,
      maxAttempts,
      retry,
      timeoutMs: task.timeoutMs ?? handler?.timeoutMs ?? this.config.taskTimeoutMs,
      expiresAt: task.expiresAt === null ? null : formatInstant(task.expiresAt),
      deadlineMs: task.deadlineMs,
      payloadBytes,
      quota: this.quotaOf(task, payloadBytes, usage),
      replayOf,
    };
  }

  private quotaOf({ tenant, queue }: NewTask, payloadBytes: number, usage: Usage): QuotaStateResponse {
    const limits = this.limits.of(tenant);
    const left = (limit: number, used: number): number => Math.max(0, limit - used);
    const tasksLeft = left(limits['tasks.queued'], usage.tasks);
    const payloadBytesLeft = left(limits['payload.bytes'], usage.payloadBytes);
    const queueLeft = left(this.limits.ofQueue(tenant, queue)['queue.depth'], usage.queues.get(queue) ?? 0);
    return { fits: tasksLeft > 0 && queueLeft > 0 && payloadBytesLeft >= payloadBytes, tasksLeft, payloadBytesLeft, queueLeft };
  }

  private defaults(): RetryDefaults {
    const { retryMaxAttempts, retryBackoff, retryBaseMs, retryMaxMs, retryJitter } = this.config;
    return { maxAttempts: retryMaxAttempts, backoff: retryBackoff, baseMs: retryBaseMs, maxMs: retryMaxMs, jitter: retryJitter };
  }
}

/** The parameter in words of the document. */
export const DRY_RUN = {
  name: 'dryRun',
  required: false,
  type: Boolean,
  description: '`true`: check everything and answer with what it would become, without storing anything.',
};

/** @throws MalformedRequest `invalid-query` */
export function readDryRun(parameters: ReadonlyMap<string, string>): boolean {
  const text = parameters.get('dryRun') ?? 'false';
  if (text !== 'true' && text !== 'false') throw invalidQuery('dryRun', 'must be true or false');
  return text === 'true';
}
