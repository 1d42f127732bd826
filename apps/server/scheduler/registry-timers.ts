/**
 * Keeps the loops' timers in Nest's SchedulerRegistry, so that one place shows everything this role will do next, and Nest
 * clears it when the application closes.
 */
import { Inject, Injectable } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import type { Timers } from '@app/lifecycle';

@Injectable()
export class RegistryTimers implements Timers {
  constructor(@Inject(SchedulerRegistry) private readonly registry: SchedulerRegistry) {}

  arm(name: string, delayMs: number, run: () => void): void {
    this.disarm(name);
    this.registry.addTimeout(
      name,
      setTimeout(() => {
        this.disarm(name);
        run();
      }, delayMs).unref(),
    );
  }

  disarm(name: string): void {
    if (this.registry.doesExist('timeout', name)) this.registry.deleteTimeout(name);
  }
}
