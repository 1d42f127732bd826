import { Global, Module } from '@nestjs/common';
import { Clock, SystemClock } from './clock.js';
import { Conditions } from './conditions.js';
import { Drain } from './drain.js';
import { Loops } from './loops.js';
import { Shutdown } from './shutdown.js';

/** What every role has: a clock, its loops, and the way to stop. */
@Global()
@Module({
  providers: [{ provide: Clock, useClass: SystemClock }, Conditions, Drain, Loops, Shutdown],
  exports: [Clock, Conditions, Drain, Loops, Shutdown],
})
export class LifecycleModule {}
