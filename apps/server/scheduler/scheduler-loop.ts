/**
 * What the scheduler's loops have in common: they start with the application, stop with the drain, turn on timers of Nest's
 * registry, and report a failure once per outage rather than once per tick. No loop needs to be alone: any number of
 * schedulers may run any of them at the same time.
 */
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Config } from '@app/config';
import { Clock, Loop, Loops, Shutdown } from '@app/lifecycle';
import { Logger } from '@app/telemetry';
import { RegistryTimers } from './registry-timers.js';

/** The parts every loop needs, as one provider. */
@Injectable()
export class LoopParts {
  constructor(
    @Inject(Config) readonly config: Config,
    @Inject(Clock) readonly clock: Clock,
    @Inject(Loops) readonly loops: Loops,
    @Inject(Shutdown) readonly shutdown: Shutdown,
    @Inject(RegistryTimers) readonly timers: RegistryTimers,
    @Inject(Logger) readonly logger: Logger,
  ) {}
}

export abstract class SchedulerLoop implements OnApplicationBootstrap {
  /** Its verb. */
  protected abstract readonly name: string;
  protected abstract readonly intervalMs: number;

  constructor(protected readonly parts: LoopParts) {}

  protected abstract tick(signal: AbortSignal): Promise<{ again: boolean }>;

  onApplicationBootstrap(): void {
    const { clock, loops, shutdown, timers, logger, config } = this.parts;
    const loop = new Loop({
      name: `scheduler.${this.name}`,
      intervalMs: this.intervalMs,
      tickMs: config.databaseStatementTimeoutMs * 3,
      clock,
      timers,
      tick: (signal) => this.tick(signal),
      onError: (err, failures) => {
        if (failures === 1) logger.warn({ err, loop: this.name }, 'A loop of the scheduler failed; trying again.');
      },
    });
    loops.run(loop);
    shutdown.on('drain', `scheduler.${this.name}`, () => loops.stop(loop));
  }
}
