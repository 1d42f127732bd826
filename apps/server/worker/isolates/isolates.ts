/** The isolated handlers of a worker: which module each comes from, how much it may use, and what it may see. */
import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Config, isolateEnvironment } from '@app/config';
import { HandlerRegistry, type HandlerDefinition } from '@app/handlers';
import { Shutdown } from '@app/lifecycle';
import { Logger, runWithContext } from '@app/telemetry';
import type { Desk, Inheritance } from '../desk.js';
import type { Held } from '../held.js';
import { FROZEN_SHARE } from '../parent-watch.js';
import type { Isolate, IsolateSpec } from './isolate.js';
import { IsolatePool } from './isolate-pool.js';
import { IsolatedRun } from './isolated-run.js';
import { ProcessIsolate } from './process-isolate.js';
import { ThreadIsolate } from './thread-isolate.js';

const STARTS_MIN = 2;
/** The worker answers each question within the time of a statement; its messages need some of their own. */
const DESK_MARGIN_MS = 2_000;
/** A lease without a heartbeat is in doubt when a fifth of it is left. */
const DOUBT_GRACE_SHARE = 0.1;
const NOBODY = { requestId: undefined, taskId: undefined, attempt: undefined, tenant: undefined, handler: undefined };

export interface IsolatedAttempt {
  /** When it will be told to stop, ms since the epoch. */
  deadline: number;
  desk: Desk;
  inherited: Inheritance;
}

@Injectable()
export class Isolates implements OnApplicationBootstrap {
  private readonly pool: IsolatePool;
  private readonly env: Readonly<Record<string, string>>;

  constructor(
    @Inject(Config) private readonly config: Config,
    @Inject(HandlerRegistry) private readonly registry: HandlerRegistry,
    @Inject(Shutdown) private readonly shutdown: Shutdown,
    @Inject(Logger) private readonly logger: Logger,
  ) {
    this.env = isolateEnvironment(config.isolateEnv);
    this.pool = new IsolatePool({
      start: (spec) => this.start(spec),
      startsMax: Math.max(STARTS_MIN, availableParallelism()),
      startMs: config.isolateStartMs,
      idleMs: config.isolateIdleMs,
      idleMax: config.isolateIdleMax,
      onLoss: ({ spec }) => {
        logger.warn(factsOf(spec), 'An isolate without work ended by itself.');
      },
    });
  }

  onApplicationBootstrap(): void {
    this.shutdown.on('close', 'isolates', () => this.pool.close());
    // The way out of an exit by force. A worker that is killed is noticed by the isolates themselves.
    process.once('exit', () => {
      this.pool.killAll();
    });
  }

  /** Starts one attempt of a handler whose definition asks for isolation. */
  begin(handler: HandlerDefinition, { task, isLeased }: Pick<Held, 'task' | 'isLeased'>, attempt: IsolatedAttempt): IsolatedRun {
    const { resultMaxBytes, checkpointMaxBytes, databaseStatementTimeoutMs, workerAbortGraceMs, isolateMemoryMb } = this.config;
    const { deadline, desk, inherited } = attempt;
    const { id, name, queue, tenant, failures } = task;
    return new IsolatedRun({
      pool: this.pool,
      // The registry has refused an isolated handler without a module.
      spec: {
        kind: handler.isolation ?? 'process',
        module: this.registry.moduleOf(handler.name) ?? '',
        memoryMb: handler.memoryMb ?? isolateMemoryMb,
      },
      task,
      order: {
        type: 'run',
        key: `${id} ${task.attempt}`,
        handler: handler.name,
        task: { id, name, queue, tenant, attempt: task.attempt, failures },
        payload: task.payload,
        deadline,
        inherited,
        resultBytesMax: resultMaxBytes,
        checkpointBytesMax: checkpointMaxBytes,
        deskMs: databaseStatementTimeoutMs + DESK_MARGIN_MS,
      },
      desk,
      isLeased,
      graceMs: workerAbortGraceMs,
      doubtGraceMs: Math.round(this.config.workerLeaseMs * DOUBT_GRACE_SHARE),
      logger: this.logger,
    });
  }

  private start(spec: IsolateSpec): Isolate {
    const { module, memoryMb } = spec;
    const start = { module, memoryMb, parentPid: process.pid, frozenMs: Math.round(this.config.workerLeaseMs * FROZEN_SHARE) };
    // It serves other attempts later, so it must not carry the ids of this one.
    return runWithContext(NOBODY, () => {
      const isolate = spec.kind === 'thread' ? new ThreadIsolate(spec, start, this.env) : new ProcessIsolate(spec, start, this.env);
      isolate.onOutput = ({ stream, text }) => {
        this.logger[stream === 'stdout' ? 'info' : 'warn']({ ...factsOf(spec), stream, text }, 'An isolate wrote a line.');
      };
      return isolate;
    });
  }
}

const factsOf = ({ kind, module, memoryMb }: IsolateSpec): Record<string, unknown> => ({
  isolation: kind,
  module: basename(fileURLToPath(module)),
  memoryMb,
});
