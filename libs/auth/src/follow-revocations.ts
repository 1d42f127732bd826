/** Has this process look for new revocations every few seconds, from the start of the application until its connections close. */
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Config } from '@app/config';
import { Clock, Loop, Loops, Shutdown } from '@app/lifecycle';
import { Logger, repeatedWarning } from '@app/telemetry';
import { Revocations } from './revocations.js';

const NAME = 'revocations';

@Injectable()
export class FollowRevocations implements OnApplicationBootstrap {
  constructor(
    @Inject(Revocations) private readonly revocations: Revocations,
    @Inject(Config) private readonly config: Config,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Loops) private readonly loops: Loops,
    @Inject(Shutdown) private readonly shutdown: Shutdown,
    @Inject(Logger) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    const warn = repeatedWarning(this.logger, () => this.clock.monotonic(), 'Revocations of tokens cannot be read; trying again.');
    const loop = new Loop({
      name: NAME,
      intervalMs: this.config.authRevocationPollMs,
      tickMs: this.config.databaseStatementTimeoutMs * 3,
      clock: this.clock,
      tick: () => this.revocations.refresh(),
      onError: warn,
    });
    this.loops.run(loop);
    this.shutdown.on('finish', NAME, () => this.loops.stop(loop));
  }
}
