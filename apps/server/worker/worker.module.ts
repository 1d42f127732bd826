import { Module, type DynamicModule } from '@nestjs/common';
import type { Config } from '@app/config';
import { HandlersModule } from '@app/handlers';
import { Attempts } from './attempt.js';
import { Audit } from './audit.js';
import { Cancels } from './cancels.js';
import { Drawer } from './drawer.js';
import { Executor } from './executor.js';
import { BUILTIN_HANDLERS } from './handlers/builtin-handlers.js';
import { Intake } from './intake.js';
import { Lease } from './lease.js';
import { Desks } from './local-desk.js';
import { Readers } from './readers.js';
import { Slots } from './slots.js';
import { Suspects } from './suspects.js';
import { WorkerService } from './worker.service.js';

/** The worker role: claims tasks and runs their handlers, the built-in ones and those of the configured folder. */
@Module({})
export class WorkerModule {
  static for(config: Config): DynamicModule {
    return {
      module: WorkerModule,
      imports: [HandlersModule.forRoot({ definitions: BUILTIN_HANDLERS, directory: config.handlersDir })],
      providers: [Slots, Suspects, Desks, Attempts, Executor, Lease, Intake, Drawer, Readers, Cancels, Audit, WorkerService],
    };
  }
}
