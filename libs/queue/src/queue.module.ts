/** Gives the application its doorbell: Redis Streams where an address is configured, else in this process. */
import { Global, Module } from '@nestjs/common';
import { Config } from '@app/config';
import { Clock } from '@app/lifecycle';
import { Logger } from '@app/telemetry';
import { Doorbell } from './doorbell.js';
import { InProcessDoorbell } from './in-process-doorbell.js';
import { RedisDoorbell } from './redis-doorbell.js';

function makeDoorbell(config: Config, clock: Clock, logger: Logger): Doorbell {
  if (config.redisUrls.length === 0) return new InProcessDoorbell(config.doorbellWindow, clock);
  return new RedisDoorbell(
    {
      urls: config.redisUrls,
      connectTimeoutMs: config.redisConnectTimeoutMs,
      commandTimeoutMs: config.redisCommandTimeoutMs,
      tls: { ca: config.redisTlsCaFile, servername: config.redisTlsServername },
      // A connection that is down reports every try; the outage as a whole is told once.
      onError: (err) => {
        logger.debug({ err }, 'A Redis command or connection failed.');
      },
    },
    {
      prefix: config.redisKeyPrefix,
      window: config.doorbellWindow,
      clock,
      report: {
        began: (reason, err) => {
          logger.warn({ err, reason }, 'The doorbell is out of order; tasks are accepted and claimed from the database meanwhile.');
        },
        ended: () => {
          logger.info({}, 'The doorbell works again.');
        },
        advise: (advice) => {
          logger.warn({ advice }, 'Redis is not set up as it should be.');
        },
      },
    },
  );
}

@Global()
@Module({
  providers: [{ provide: Doorbell, inject: [Config, Clock, Logger], useFactory: makeDoorbell }],
  exports: [Doorbell],
})
export class QueueModule {}
