/**
 * Runs handlers attempt by attempt on a real store, with the worker's own parts and without its loops: what a handler asks of the
 * platform is answered as in production, and the test says when anything happens.
 */
import { loadConfig, type Config } from '@app/config';
import { sql } from '@app/database';
import { HandlerRegistry, type HandlerDefinition } from '@app/handlers';
import { Loops, Shutdown } from '@app/lifecycle';
import type { NewTask } from '@app/tasks';
import { createLogger } from '@app/telemetry';
import { Abandonment } from '../../apps/server/worker/abandon.js';
import { Attempts } from '../../apps/server/worker/attempt.js';
import { holding } from '../../apps/server/worker/held.js';
import { Isolates } from '../../apps/server/worker/isolates/isolates.js';
import { Desks } from '../../apps/server/worker/local-desk.js';
import { Suspects } from '../../apps/server/worker/suspects.js';
import type { Store } from './store.js';

const ROUNDS_MAX = 20;
const logger = createLogger({ level: 'silent', format: 'json', role: 'test' });

export class HandlerBench {
  readonly registry = new HandlerRegistry();
  readonly suspects = new Suspects();
  private readonly config: Config;
  private readonly attempts: Attempts;

  private constructor(
    private readonly store: Store,
    private readonly worker: Buffer,
    env: Readonly<Record<string, string>>,
  ) {
    this.config = loadConfig(env);
    const desks = new Desks(this.config, store.progress, store.checkpoints, store.resources, store.reader);
    const isolates = new Isolates(this.config, this.registry, new Shutdown(), logger);
    this.attempts = new Attempts(this.config, store.settler, desks, isolates, store.clock, logger);
  }

  static async set(store: Store, env: Readonly<Record<string, string>>): Promise<HandlerBench> {
    return new HandlerBench(store, await store.hire(), env);
  }

  handle(definition: HandlerDefinition): void {
    this.registry.register(definition, 'the test');
  }

  /** Runs one attempt, as the executor would, `waitedMs` after its claim, and lets the task come round again at once. */
  async attempt(id: string, waitedMs = 0): Promise<void> {
    const task = await this.store.claim(this.worker, id);
    const handler = this.registry.standIn(task.name, task.fallbacks);
    if (handler === undefined) throw new Error('nobody runs it');
    const held = holding(this.worker, task, () => true, this.store.clock.monotonic() - waitedMs);
    await this.attempts.execute(held, handler);
    await this.store.makeDue(id, 'run');
    await this.store.promoter.promote();
  }

  /** Runs attempts until the task is over; returns its id. */
  async runAll(options: Partial<NewTask>): Promise<string> {
    const { id } = await this.store.add(options);
    for (let rounds = 0; rounds < ROUNDS_MAX; rounds += 1) {
      await this.attempt(id);
      if ((await this.store.row(id))['finished_at'] !== 0) return id;
    }
    throw new Error('it does not end');
  }

  /** One more runner of hooks, with the handlers of this bench or others. */
  abandonment(registry: HandlerRegistry = this.registry): Abandonment {
    return new Abandonment(this.config, registry, this.store.abandoned, this.suspects, new Loops(), this.store.clock, logger);
  }

  /** Lets the time come at which resources are looked at. */
  async makeResourcesDue(): Promise<void> {
    await this.store.raw.execute(sql`UPDATE task_resources SET check_at = 1`);
  }
}
