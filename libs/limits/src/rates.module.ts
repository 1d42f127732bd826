/** Makes the limiters, one of each per process, over one store; and the loop that prunes rows that say nothing any more. */
import { Global, Inject, Module, type OnApplicationBootstrap } from '@nestjs/common';
import { Config } from '@app/config';
import { Database } from '@app/database';
import { Clock, Loop, Loops, Shutdown } from '@app/lifecycle';
import { Logger, repeatedWarning } from '@app/telemetry';
import { LimitBook } from './limit-book.js';
import { AttemptLimits } from './rate-attempts.js';
import { RateLimiter } from './rate-limiter.js';
import { RateStore, StoredRates } from './rate-store.js';
import { RateTaker } from './rate-taker.js';

const NAME = 'rates.prune';

@Global()
@Module({
  providers: [
    { provide: RateStore, inject: [Database], useFactory: (database: Database) => new StoredRates(database) },
    {
      provide: RateTaker,
      inject: [RateStore, Clock, Logger],
      useFactory: (store: RateStore, clock: Clock, logger: Logger) => {
        const message = 'Rate limits could not be read in time; for a moment this process decides about them alone.';
        return new RateTaker(
          store,
          clock,
          repeatedWarning(logger, () => clock.monotonic(), message),
        );
      },
    },
    {
      provide: RateLimiter,
      inject: [LimitBook, RateTaker, Clock, Config],
      useFactory: (book: LimitBook, taker: RateTaker, clock: Clock, config: Config) =>
        new RateLimiter(book, taker, clock, {
          leaseMs: config.rateLeaseMs,
          waitMs: config.rateWaitMs,
          credentialPercent: config.rateCredentialPercent,
          rememberedMax: config.rateRememberedMax,
        }),
    },
    {
      provide: AttemptLimits,
      inject: [RateTaker, Clock, Config],
      useFactory: (taker: RateTaker, clock: Clock, config: Config) =>
        new AttemptLimits(taker, clock, {
          failuresPerMinute: config.rateFailuresPerMinute,
          anonymousPerMinute: config.rateAnonymousPerMinute,
          rememberedMax: config.rateRememberedMax,
        }),
    },
  ],
  exports: [RateLimiter, AttemptLimits],
})
export class RatesModule implements OnApplicationBootstrap {
  private cursor: Buffer | null = null;

  constructor(
    @Inject(RateStore) private readonly store: RateStore,
    @Inject(RateTaker) private readonly taker: RateTaker,
    @Inject(Config) private readonly config: Config,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Loops) private readonly loops: Loops,
    @Inject(Shutdown) private readonly shutdown: Shutdown,
    @Inject(Logger) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    const loop = new Loop({
      name: NAME,
      intervalMs: this.config.ratePruneMs,
      tickMs: this.config.databaseStatementTimeoutMs * 3,
      clock: this.clock,
      tick: () => this.prune(),
      onError: (err, failures) => {
        if (failures === 1) this.logger.warn({ err }, 'The states of rate limits could not be pruned; trying again.');
      },
    });
    this.loops.run(loop);
    this.shutdown.on('drain', NAME, () => this.loops.stop(loop));
    // Before the stage in which the connections close. What is leased and not used is lost: a few seconds of one's rate at most.
    this.shutdown.on('finish', 'rates', () => this.taker.drained());
  }

  private async prune(): Promise<{ again: boolean }> {
    const { cursor } = await this.store.prune(this.cursor);
    this.cursor = cursor;
    return { again: cursor !== null };
  }
}
