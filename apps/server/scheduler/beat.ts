/**
 * Submits a heartbeat task every minute, as the system tenant and keyed by the minute, so that any number of schedulers makes
 * one. How long it takes from submission to success is the one figure that says whether the whole way works; health shows it.
 */
import { createHash } from 'node:crypto';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { Config } from '@app/config';
import { Clock, Drain } from '@app/lifecycle';
import { TaskSubmitter } from '@app/tasks';
import { Logger } from '@app/telemetry';

const MINUTE_MS = 60_000;
/** A heartbeat that has not started by the next one has nothing left to tell. */
const EXPIRES_MS = 5 * MINUTE_MS;

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

@Injectable()
export class Beat implements OnApplicationBootstrap {
  constructor(
    @Inject(Config) private readonly config: Config,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Drain) private readonly drain: Drain,
    @Inject(TaskSubmitter) private readonly submitter: TaskSubmitter,
    @Inject(Logger) private readonly logger: Logger,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.beat();
  }

  @Cron('0 * * * * *', { name: 'scheduler.beat', timeZone: 'UTC', waitForCompletion: true })
  async beat(): Promise<void> {
    if (!this.config.heartbeatTask || this.drain.draining) return;
    const minute = Math.floor(this.clock.now() / MINUTE_MS) * MINUTE_MS;
    try {
      await this.submitter.submit({
        tenant: 'system',
        name: 'heartbeat',
        queue: 'system',
        priority: 0,
        payload: JSON.stringify({ minute: new Date(minute).toISOString() }),
        runAt: null,
        delayMs: null,
        maxAttempts: 1,
        retry: null,
        timeoutMs: MINUTE_MS,
        expiresAt: minute + EXPIRES_MS,
        deadlineMs: null,
        tags: [],
        metadata: null,
        createdBy: 'scheduler',
        idempotency: { keyHash: sha256(`heartbeat ${minute}`), fingerprint: sha256('heartbeat') },
      });
    } catch (err) {
      this.logger.warn({ err }, 'The heartbeat task of this minute could not be submitted.');
    }
  }
}
