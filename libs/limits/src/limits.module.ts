/** Gives every role the book of limits, read before the process serves, and renewed by a loop that everybody watches. */
import { Global, Inject, Module, type OnApplicationBootstrap } from '@nestjs/common';
import { Config } from '@app/config';
import { Database } from '@app/database';
import { Clock, Loop, Loops, Shutdown } from '@app/lifecycle';
import { Logger, repeatedWarning } from '@app/telemetry';
import { LimitBook } from './limit-book.js';
import { defaultLimits } from './limit-names.js';

const NAME = 'limits.refresh';

@Global()
@Module({
  providers: [
    {
      provide: LimitBook,
      inject: [Database, Config, Logger, Clock],
      useFactory: async (database: Database, config: Config, logger: Logger, clock: Clock): Promise<LimitBook> => {
        const warn = repeatedWarning(
          logger,
          () => clock.monotonic(),
          'The table of limits has more rows than are read: those beyond have no effect. Delete rows, or raise LIMITS_ROWS_MAX.',
        );
        const book = new LimitBook(database, defaultLimits(config), config.limitsRowsMax, () => {
          warn(undefined);
        });
        await book.refresh();
        return book;
      },
    },
  ],
  exports: [LimitBook],
})
export class LimitsModule implements OnApplicationBootstrap {
  constructor(
    @Inject(LimitBook) private readonly book: LimitBook,
    @Inject(Config) private readonly config: Config,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Loops) private readonly loops: Loops,
    @Inject(Shutdown) private readonly shutdown: Shutdown,
    @Inject(Logger) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    const loop = new Loop({
      name: NAME,
      intervalMs: this.config.limitsRefreshMs,
      tickMs: this.config.databaseStatementTimeoutMs * 3,
      clock: this.clock,
      tick: () => this.book.refresh(),
      onError: (err, failures) => {
        if (failures === 1) this.logger.warn({ err }, 'The limits could not be read; the last known ones hold.');
      },
    });
    this.loops.run(loop);
    this.shutdown.on('close', NAME, () => this.loops.stop(loop));
  }
}
