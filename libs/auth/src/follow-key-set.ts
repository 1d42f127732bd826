/**
 * Fetches the issuer's key set every few minutes, from the start of the application on. Until a first fetch has succeeded the
 * process is not ready; a set that merely cannot be renewed makes nobody unready, because every other process has the same trouble.
 */
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Config } from '@app/config';
import { Clock, Conditions, Loop, Loops, Shutdown } from '@app/lifecycle';
import { Logger, repeatedWarning } from '@app/telemetry';
import { KeySet } from './key-set.js';
import { TokenKeys } from './token-keys.js';

const NAME = 'key-set';

@Injectable()
export class FollowKeySet implements OnApplicationBootstrap {
  constructor(
    @Inject(TokenKeys) private readonly keys: TokenKeys,
    @Inject(Config) private readonly config: Config,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Loops) private readonly loops: Loops,
    @Inject(Conditions) private readonly conditions: Conditions,
    @Inject(Shutdown) private readonly shutdown: Shutdown,
    @Inject(Logger) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    const { keys, config, clock } = this;
    if (!(keys instanceof KeySet)) return;
    const loop = new Loop({
      name: NAME,
      intervalMs: config.authJwksRefreshMs,
      tickMs: config.authJwksTimeoutMs,
      clock,
      tick: () => keys.refresh(),
      onError: repeatedWarning(this.logger, () => clock.monotonic(), 'The key set of the issuer cannot be fetched; trying again.'),
      // Whatever keeps the set away is not cured by starting this process anew.
      isOutage: () => true,
    });
    this.conditions.require('the key set of the issuer was never fetched', () => keys.wasFetched);
    this.loops.run(loop);
    this.shutdown.on('drain', NAME, () => this.loops.stop(loop));
  }
}
