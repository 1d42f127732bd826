/** Has the uses of keys written down every few seconds, and once more when the process stops. */
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Config } from '@app/config';
import { Clock, Loop, Loops, Shutdown } from '@app/lifecycle';
import { Logger } from '@app/telemetry';
import { KeyUses } from './key-uses.js';

const EVERY_MS = 10_000;

@Injectable()
export class KeyUsesLoop implements OnApplicationBootstrap {
  private readonly loop: Loop;

  constructor(
    @Inject(KeyUses) private readonly uses: KeyUses,
    @Inject(Loops) private readonly loops: Loops,
    @Inject(Shutdown) private readonly shutdown: Shutdown,
    @Inject(Config) config: Config,
    @Inject(Clock) clock: Clock,
    @Inject(Logger) logger: Logger,
  ) {
    this.loop = new Loop({
      name: 'api.key-uses',
      intervalMs: EVERY_MS,
      tickMs: config.databaseStatementTimeoutMs,
      clock,
      tick: () => uses.write(),
      onError: (err, failures) => {
        if (failures === 1) logger.warn({ err }, 'Writing down when API keys were used failed; trying again.');
      },
    });
  }

  onApplicationBootstrap(): void {
    this.loops.run(this.loop);
    this.shutdown.on('finish', 'api.key-uses', async () => {
      await this.loops.stop(this.loop);
      await this.uses.write();
    });
  }
}
