/**
 * Calls the hooks of handlers for resources that their tasks left behind, until they succeed. A hook runs on whichever worker has
 * the handler and takes the resource first; while it runs, and for a moment longer, nobody else is offered the resource. One that
 * fails is called again after a pause that grows up to a bound, without an end: what exists outside of this system does not go away
 * because we stopped asking. A hook that ignores its signal is left behind and counts as failed, so the next call may meet it.
 * While a suspect waits or runs no hook begins: a crash of the hook would be taken for the suspect's.
 */
import { Inject, Injectable } from '@nestjs/common';
import { Config } from '@app/config';
import { describeFailure, HandlerRegistry, type HandlerDefinition } from '@app/handlers';
import { Clock, Loop, Loops, within } from '@app/lifecycle';
import { AbandonedResources, type Abandoned } from '@app/tasks';
import { Logger, runWithContext } from '@app/telemetry';
import { handlerLogger } from './attempt-context.js';
import { Suspects } from './suspects.js';

/** How many hooks one worker runs at once; they are rare, and take no slots. */
const AT_ONCE = 8;
/** How much longer than its hook may take a resource is taken for, in ms: the outcome must be recorded as well. */
const MARGIN_MS = 10_000;
const PAUSE_MS_MIN = 1_000;
/** A look takes at most so many rounds of hooks; a loop that is silent for longer is not well. */
const ROUNDS_MAX = 4;

type Hook = NonNullable<HandlerDefinition['onAbandon']>;

const STOPPING = { code: 'worker-stopping', message: 'The worker was stopped.' };

@Injectable()
export class Abandonment {
  private readonly loop: Loop;

  constructor(
    @Inject(Config)
    private readonly config: Pick<Config, 'abandonLookMs' | 'abandonTimeoutMs' | 'abandonRetryMaxMs' | 'workerAbortGraceMs'>,
    @Inject(HandlerRegistry) private readonly registry: HandlerRegistry,
    @Inject(AbandonedResources) private readonly resources: AbandonedResources,
    @Inject(Suspects) private readonly suspects: Pick<Suspects, 'closed' | 'enterHook'>,
    @Inject(Loops) private readonly loops: Loops,
    @Inject(Clock) clock: Clock,
    @Inject(Logger) private readonly logger: Logger,
  ) {
    this.loop = new Loop({
      name: 'worker.abandoned',
      intervalMs: Math.ceil(config.abandonLookMs / 2),
      tickMs: (config.abandonTimeoutMs + config.workerAbortGraceMs + MARGIN_MS) * ROUNDS_MAX,
      clock,
      tick: async (signal) => ({ again: await this.look(signal) }),
      onError: (err, failures) => {
        if (failures === 1) logger.warn({ err }, 'Looking for abandoned resources failed; trying again.');
      },
    });
  }

  start(): void {
    // The registry does not change any more; a worker without a hook has nothing to look for.
    if (this.names().length > 0) this.loops.run(this.loop);
  }

  /** Hooks under way are told to stop, and their resources offered to others at once. */
  async stop(): Promise<void> {
    await this.loops.stop(this.loop);
  }

  /** One look. Whether another one at once is worth it. */
  async look(signal: AbortSignal): Promise<boolean> {
    if (this.suspects.closed) return false;
    const { found, full } = await this.resources.look(this.names());
    const waiting = [...found];
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined && !signal.aborted; next = waiting.shift()) await this.handle(next, signal);
    };
    const ends = await Promise.allSettled(Array.from({ length: AT_ONCE }, work));
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    return full && !signal.aborted && !this.suspects.closed;
  }

  private names(): string[] {
    return this.registry.names().filter((name) => this.hookOf(name) !== undefined);
  }

  private hookOf(name: string): Hook | undefined {
    return this.registry.get(name)?.onAbandon;
  }

  private async handle(resource: Abandoned, stopping: AbortSignal): Promise<void> {
    const hook = this.hookOf(resource.handler);
    if (hook === undefined || this.suspects.closed) return;
    const leave = this.suspects.enterHook();
    let hooked: Promise<unknown> = Promise.resolve();
    const heard: Hook = (...given) => {
      const result = Promise.resolve().then(() => hook(...given));
      hooked = result;
      return result.then(() => undefined);
    };
    try {
      if (await this.resources.take(resource, this.holdMs(resource.tries))) await this.letGo(heard, resource, stopping);
    } finally {
      // One that was left behind is company for as long as it goes on.
      void hooked.then(leave, leave);
    }
  }

  private async letGo(hook: Hook, resource: Abandoned, stopping: AbortSignal): Promise<void> {
    const { taskId, tenant } = resource;
    await runWithContext({ taskId, tenant }, async () => {
      const failure = stopping.aborted ? STOPPING : await this.call(hook, resource, stopping);
      if (failure === null) {
        await this.resources.done(resource.id);
        this.logger.info(
          { handler: resource.handler, kind: resource.kind, tries: resource.tries + 1 },
          'An abandoned resource is let go of.',
        );
        return;
      }
      const delayMs = stopping.aborted ? 0 : this.pauseAfter(resource.tries);
      await this.resources.again(resource, delayMs, `${failure.code}: ${failure.message}`);
      if (isWorthALine(resource.tries)) {
        const { handler, kind, tries } = resource;
        this.logger.warn({ handler, kind, tries: tries + 1, delayMs, ...failure }, 'The onAbandon hook failed; it is called again.');
      }
    });
  }

  /** Null where the hook succeeded. Ends in bounded time whatever the hook does. */
  private async call(
    hook: Hook,
    { taskId, tenant, kind, ref, tries }: Abandoned,
    stopping: AbortSignal,
  ): Promise<{ code: string; message: string } | null> {
    const { abandonTimeoutMs, workerAbortGraceMs } = this.config;
    const late = AbortSignal.timeout(abandonTimeoutMs);
    const signal = AbortSignal.any([late, stopping]);
    const hooked = Promise.resolve().then(() => hook({ taskId, tenant, kind, ref, tries }, { signal, logger: handlerLogger(this.logger) }));
    const deaf = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        within(hooked, workerAbortGraceMs, 'The hook').catch(reject);
      });
    });
    try {
      await Promise.race([hooked, deaf]);
      return null;
    } catch (thrown) {
      if (late.aborted) return { code: 'timeout', message: `The hook ran longer than ${abandonTimeoutMs} ms.` };
      const { code, message } = describeFailure(thrown);
      return { code, message };
    }
  }

  /** As long as a call may take; and longer where earlier ones failed, because a hook may be what ends its process. */
  private holdMs(tries: number): number {
    const { abandonTimeoutMs, workerAbortGraceMs } = this.config;
    return Math.max(abandonTimeoutMs + workerAbortGraceMs + MARGIN_MS, this.pauseAfter(tries));
  }

  private pauseAfter(tries: number): number {
    return Math.min(this.config.abandonRetryMaxMs, PAUSE_MS_MIN * 2 ** Math.min(tries, 30));
  }
}

/** The first failure, and then ever more rarely: 1, 2, 4, 8 … */
function isWorthALine(triesBefore: number): boolean {
  const tries = triesBefore + 1;
  return (tries & (tries - 1)) === 0;
}
