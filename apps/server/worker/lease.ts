/**
 * The worker's lease: its row in the register, renewed by a heartbeat. One lease covers everything the worker runs. It is
 * either held, in doubt (no beat got through for most of a lease: stop the handlers before somebody else starts them), or
 * lost (a sweeper marked the row: whatever we hold is not ours any more, and we come back under a new id).
 */
import { hostname } from 'node:os';
import { Inject, Injectable } from '@nestjs/common';
import { Config } from '@app/config';
import { Database, databaseTls, idText, Pulse, RowIds } from '@app/database';
import { HandlerRegistry } from '@app/handlers';
import { Clock, Drain, failpoint, Loop, Loops, pause, Shutdown } from '@app/lifecycle';
import { Workers } from '@app/tasks';
import { Logger, repeatedLine, repeatedWarning } from '@app/telemetry';
import { Executor } from './executor.js';

/** Beats per lease, and the share of a lease without a beat after which it is in doubt. */
const BEATS_PER_LEASE = 5;
const DOUBT_SHARE = 0.8;
/** Looks per lease, so that doubt comes well before the lease ends. */
const LOOKS_PER_LEASE = 20;

@Injectable()
export class Lease {
  /** The id that claims are made under. Changes when the lease was lost; then it is in the register a little later. */
  id: Buffer;
  private pulse: Pulse | null = null;
  private loop: Loop | null = null;
  private registeredAt = 0;
  private inDoubt = false;
  private renewing: Promise<void> | null = null;
  private watch: Loop | null = null;
  private readonly warnOfBeat: ReturnType<typeof repeatedLine>;
  private readonly warnOfRenewal: ReturnType<typeof repeatedWarning>;

  constructor(
    @Inject(Config) private readonly config: Config,
    @Inject(Database) private readonly database: Database,
    @Inject(Workers) private readonly workers: Workers,
    @Inject(RowIds) private readonly ids: RowIds,
    @Inject(HandlerRegistry) private readonly registry: HandlerRegistry,
    @Inject(Executor) private readonly executor: Executor,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Loops) private readonly loops: Loops,
    @Inject(Drain) private readonly drain: Drain,
    @Inject(Shutdown) private readonly shutdown: Shutdown,
    @Inject(Logger) private readonly logger: Logger,
  ) {
    this.id = ids.next();
    const now = (): number => clock.monotonic();
    this.warnOfBeat = repeatedLine(logger, now, 'A heartbeat failed.');
    this.warnOfRenewal = repeatedWarning(logger, now, 'Registering anew failed; trying again.');
  }

  /**
   * Whether claims may be made and handlers started. Asked of the clock each time, because this process may have stood still since
   * anybody last looked.
   */
  get held(): boolean {
    return this.isFresh && !this.inDoubt && this.renewing === null;
  }

  async start(): Promise<void> {
    await this.register(this.id);
    // On SQLite the file's lock is the lease, and it lasts as long as the process.
    if (this.database.dialect.engine === 'sqlite') return;
    this.watch = this.loops.run(
      new Loop({
        name: 'worker.lease',
        intervalMs: Math.round(this.config.workerLeaseMs / LOOKS_PER_LEASE),
        tickMs: this.beatMs,
        clock: this.clock,
        tick: () => {
          this.check();
          return Promise.resolve();
        },
        onError: (err) => {
          this.logger.error({ err }, 'Watching the lease failed.');
        },
      }),
    );
  }

  /** Shows in the register that this worker takes nothing new; the heartbeat goes on. */
  async retire(): Promise<void> {
    await this.workers.drain(this.id);
  }

  /** The last thing a worker does: it holds nothing any more. */
  async stop(): Promise<void> {
    if (this.watch !== null) await this.loops.stop(this.watch);
    await this.stopBeating();
    await this.workers.stop(this.id);
  }

  private get beatMs(): number {
    return Math.round(this.config.workerLeaseMs / BEATS_PER_LEASE);
  }

  /** Counted from when the last renewal was sent: nobody can have watched it for longer than that. */
  private get isFresh(): boolean {
    // On SQLite the file's lock is the lease, and it lasts as long as the process.
    if (this.database.dialect.engine === 'sqlite') return true;
    const ageMs = Math.min(this.clock.monotonic() - this.registeredAt, this.pulse?.ageMs ?? Number.POSITIVE_INFINITY);
    return ageMs < this.config.workerLeaseMs * DOUBT_SHARE;
  }

  private async register(id: Buffer): Promise<void> {
    const { workerQueues, workerConcurrency, workerLeaseMs } = this.config;
    const registeredAt = this.clock.monotonic();
    await this.workers.register({
      id,
      host: hostname(),
      pid: process.pid,
      queues: workerQueues === '*' ? ['*'] : workerQueues,
      handlers: this.registry.ways(),
      concurrency: workerConcurrency,
      leaseMs: workerLeaseMs,
    });
    failpoint('register.committed');
    this.registeredAt = registeredAt;
    this.inDoubt = false;
    this.beat();
    this.logger.info({ workerId: idText(this.id) }, 'The worker is registered.');
  }

  private beat(): void {
    const statement = this.workers.beat(this.id);
    if (this.database.dialect.engine === 'sqlite') {
      // One process, one connection, and the file's lock is the lease: a thread would have nothing to vouch for.
      this.loop = this.loops.run(
        new Loop({
          name: 'worker.heartbeat',
          intervalMs: this.beatMs,
          tickMs: this.beatMs,
          clock: this.clock,
          tick: async () => {
            this.onBeat(await this.database.execute(statement));
          },
          onError: (err) => {
            this.warnOfBeat({ err });
          },
        }),
      );
      return;
    }
    this.pulse = new Pulse({
      url: this.config.databaseUrl,
      tls: databaseTls(this.config),
      statement,
      everyMs: this.beatMs,
      beatTimeoutMs: this.beatMs,
      onBeat: (affected) => {
        this.onBeat(affected);
      },
      onError: (message) => {
        this.warnOfBeat({ reason: message });
      },
      onDeath: () => {
        this.shutdown.request('The heartbeat thread is gone.');
      },
    });
  }

  private async stopBeating(): Promise<void> {
    await this.pulse?.stop();
    this.pulse = null;
    if (this.loop !== null) await this.loops.stop(this.loop);
    this.loop = null;
  }

  private onBeat(affected: number): void {
    if (affected === 0) {
      this.renewing ??= this.renew().finally(() => {
        this.renewing = null;
      });
      return;
    }
    // The message may be older than the beat is good for.
    if (this.isFresh) this.inDoubt = false;
  }

  private check(): void {
    if (this.inDoubt || this.renewing !== null || this.isFresh) return;
    this.inDoubt = true;
    this.logger.error({ workerId: idText(this.id) }, 'No heartbeat got through; the handlers are stopped before the lease ends.');
    this.executor.stopAll('shutdown');
  }

  /**
   * The row was marked lost, or is gone. Everything held belongs to others now; come back as somebody new. The new name counts from
   * here on, before it is in the register: the answer to a claim under the old one may still be on its way, and is known by that.
   */
  private async renew(): Promise<void> {
    this.logger.error({ workerId: idText(this.id) }, 'This worker was declared lost; it drops what it holds and registers anew.');
    const lost = this.id;
    this.id = this.ids.next();
    const held = this.executor.takeHeld();
    this.executor.stopAll('gone');
    await this.stopBeating();
    failpoint('renew.dropped');
    await this.insist(() => this.workers.survive(lost, held));
    failpoint('renew.survived');
    // Under a name that is not in the register nothing can be claimed; `held` keeps claims from being made at all.
    // Each try has a name of its own: the one before may be in the register, though nobody answered that it is.
    await this.insist(async () => {
      this.id = this.ids.next();
      await this.register(this.id);
    });
  }

  /** The database may be why the lease was lost; the worker has nothing else to do than to come back. */
  private async insist(step: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await step();
        return;
      } catch (err) {
        this.warnOfRenewal(err);
        await pause(this.beatMs, this.drain.signal);
        if (this.drain.draining) return;
      }
    }
  }
}
