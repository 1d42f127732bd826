/**
 * Calls the hooks of handlers for resources that their tasks left behind, until they succeed. A hook runs on whichever worker has
 * the handler and takes the resource first; while it runs, and for a moment longer, nobody else is offered the resource. One that
 * fails is called again after a pause that grows up to a bound, without an end: what exists outside of this system does not go away
 * because we stopped asking. A hook that ignores its signal is left behind and counts as failed, so the next call may meet it.
 * While a suspect waits or runs no hook begins: a crash of the hook would be taken for the suspect's.
 *
 * A look starts what there is room for and does not wait for it, and one handler may have only a part of the room: a hook that hangs
 * must not keep those of other handlers from their turn.
 */
import { Inject, Injectable } from '@nestjs/common';
import { Config } from '@app/config';
import { idText } from '@app/database';
import { describeFailure, HandlerRegistry, type HandlerDefinition } from '@app/handlers';
import { Clock, Loop, Loops, within } from '@app/lifecycle';
import { AbandonedResources, type Abandoned } from '@app/tasks';
import { Logger, repeatedWarning, runWithContext } from '@app/telemetry';
import { handlerLogger } from './attempt-context.js';
import { Suspects } from './suspects.js';

/** How many hooks one worker runs at once, and how many of them for one handler; they are rare, and take no slots. */
const AT_ONCE = 16;
const OF_ONE_HANDLER = 4;
/** How much longer than its hook may take a resource is taken for, in ms: the outcome must be recorded as well. */
const MARGIN_MS = 10_000;
const PAUSE_MS_MIN = 1_000;
/** How long one look may take, in ms: it reads a page and starts. */
const LOOK_MS_MAX = 10_000;

type Hook = NonNullable<HandlerDefinition['onAbandon']>;

const STOPPING = { code: 'worker-stopping', message: 'The worker was stopped.' };

@Injectable()
export class Abandonment {
  private readonly loop: Loop;
  private readonly stopping = new AbortController();
  /** By the id of the resource. */
  private readonly underWay = new Map<string, { handler: string; end: Promise<void> }>();
  /** Whether the last look left something that there was no room for. */
  private more = false;
  private readonly warn: (err: unknown) => void;

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
    this.warn = repeatedWarning(
      logger,
      () => clock.monotonic(),
      'Recording what became of an abandoned resource failed; its hook is called again.',
    );
    this.loop = new Loop({
      name: 'worker.abandoned',
      intervalMs: Math.ceil(config.abandonLookMs / 2),
      tickMs: LOOK_MS_MAX,
      clock,
      tick: async () => ({ again: await this.look() }),
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
    this.stopping.abort();
    await this.loops.stop(this.loop);
    await this.settled();
  }

  /** Resolves when no hook is under way. */
  async settled(): Promise<void> {
    while (this.underWay.size > 0) await Promise.all([...this.underWay.values()].map(({ end }) => end));
  }

  /** One look, which starts the hooks that there is room for. Whether another one at once is worth it. */
  async look(): Promise<boolean> {
    if (this.suspects.closed) return false;
    const all = this.names();
    const names = all.filter((name) => this.hasRoom(name));
    // Those without room may have more; the end of one of theirs is the time to look.
    this.more = names.length < all.length;
    if (names.length === 0) return false;
    const { found, full } = await this.resources.look(names);
    let begun = 0;
    for (const resource of found) {
      if (this.suspects.closed || this.stopping.signal.aborted) return false;
      if (this.underWay.has(idText(resource.id))) continue;
      if (this.hasRoom(resource.handler)) {
        this.begin(resource);
        begun += 1;
      } else this.more = true;
    }
    // A page may be full of one handler; the next one is asked for without it where it has no room left.
    this.more ||= full;
    return full && begun > 0 && this.underWay.size < AT_ONCE;
  }

  private hasRoom(handler: string): boolean {
    const running = [...this.underWay.values()].filter((other) => other.handler === handler).length;
    return this.underWay.size < AT_ONCE && running < OF_ONE_HANDLER;
  }

  private begin(resource: Abandoned): void {
    const id = idText(resource.id);
    const end = this.handle(resource, this.stopping.signal)
      .catch(this.warn)
      .finally(() => {
        this.underWay.delete(id);
        if (this.more) this.loop.wake();
      });
    this.underWay.set(id, { handler: resource.handler, end });
  }

  private names(): string[] {
    return this.registry.names().filter((name) => this.hookOf(name) !== undefined);
  }

  private hookOf(name: string): Hook | undefined {
    return this.registry.get(name)?.onAbandon;
  }

  private async handle(resource: Abandoned, stopping: AbortSignal): Promise<void> {
    const hook = this.hookOf(resource.handler);
    if (hook === undefined) return;
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
