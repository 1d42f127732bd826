import { Module, type DynamicModule } from '@nestjs/common';
import type { Config } from '@app/config';
import { Abandonment } from './abandon.js';
import { Attempts } from './attempt.js';
import { Audit } from './audit.js';
import { BacklogCursors } from './backlog-cursors.js';
import { BusyTurns } from './busy-turns.js';
import { Cancels } from './cancels.js';
import { Containment } from './containment.js';
import { Doorkeeper } from './doorkeeper.js';
import { Drawer } from './drawer.js';
import { Executor } from './executor.js';
import { HandlersModule } from './handlers.module.js';
import { builtinHandlers } from './handlers/builtin-handlers.js';
import { HttpRequest } from './handlers/http-request/http-request.js';
import { Intake } from './intake.js';
import { Isolates } from './isolates/isolates.js';
import { Lease } from './lease.js';
import { Desks } from './local-desk.js';
import { Readers } from './readers.js';
import { RunningLimits } from './running-limits.js';
import { Sharing } from './sharing.js';
import { Slots } from './slots.js';
import { Suspects } from './suspects.js';
import { Unclaimable } from './unclaimable.js';
import { Watch } from './watch.js';
import { WorkerService } from './worker.service.js';

/** The worker role: claims tasks and runs their handlers, the built-in ones and those of the configured folder. */
@Module({})
export class WorkerModule {
  static for(config: Config): DynamicModule {
    return {
      module: WorkerModule,
      imports: [
        HandlersModule.forRoot({
          definitions: builtinHandlers(config),
          directory: config.handlersDir,
          deadlineMs: config.handlersReadMs,
        }),
      ],
      providers: [
        Slots,
        RunningLimits,
        BusyTurns,
        Sharing,
        Suspects,
        Unclaimable,
        BacklogCursors,
        Desks,
        Isolates,
        Attempts,
        Executor,
        Lease,
        Intake,
        Doorkeeper,
        Drawer,
        Readers,
        Cancels,
        Audit,
        Abandonment,
        Containment,
        Watch,
        WorkerService,
        ...(config.httpRequest ? [HttpRequest] : []),
      ],
    };
  }
}
