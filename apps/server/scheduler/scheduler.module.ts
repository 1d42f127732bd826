import { Module } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { Beat } from './beat.js';
import { Bulk } from './bulk.js';
import { Expire } from './expire.js';
import { Fold } from './fold.js';
import { Promote } from './promote.js';
import { Prune } from './prune.js';
import { PruneRevocations } from './prune-revocations.js';
import { Reconcile } from './reconcile.js';
import { Recount } from './recount.js';
import { RegistryTimers } from './registry-timers.js';
import { LoopParts } from './scheduler-loop.js';
import { Sweep } from './sweep.js';

/** The scheduler role: moves what time moves. */
@Module({
  imports: [ScheduleModule.forRoot()],
  providers: [...[RegistryTimers, LoopParts, Promote, Sweep, Reconcile, Expire, Bulk], ...[Prune, PruneRevocations, Fold, Recount, Beat]],
})
export class SchedulerModule {}
