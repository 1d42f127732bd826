/** Gives the application its doorbell: Redis Streams where an address is configured, else in this process. */
import { Global, Module } from '@nestjs/common';
import { Config } from '@app/config';
import { Clock } from '@app/lifecycle';
import { Logger } from '@app/telemetry';
import { Doorbell } from './doorbell.js';
import { InProcessDoorbell } from './in-process-doorbell.js';
import { RedisDoorbell } from './redis-doorbell.js';

/** A connection that is down reports every try; one line in this many ms is enough to be read. */
const REPORT_EVERY_MS = 10_000;

function makeDoorbell(config: Config, clock: Clock, logger: Logger): Doorbell {
  if (config.redisUrls.length === 0) return new InProcessDoorbell(config.doorbellWindow, clock);
  let reportedAt = Number.NEGATIVE_INFINITY;
  return new RedisDoorbell(
    {
      urls: config.redisUrls,
      connectTimeoutMs: config.redisConnectTimeoutMs,
      commandTimeoutMs: config.redisCommandTimeoutMs,
      onError: (err) => {
        if (clock.monotonic() - reportedAt < REPORT_EVERY_MS) return;
        reportedAt = clock.monotonic();
        logger.warn({ err }, 'Redis does not answer; tasks are accepted and claimed from the database meanwhile.');
      },
    },
    { prefix: config.redisKeyPrefix, window: config.doorbellWindow, clock },
  );
}

@Global()
@Module({
  providers: [{ provide: Doorbell, inject: [Config, Clock, Logger], useFactory: makeDoorbell }],
  exports: [Doorbell],
})
export class QueueModule {}
