/**
 * Keeps a reader on every queue that this worker serves, and the pauses and the slots of all workers up to date. Queues are found when they are first used.
 * A reader holds a connection, so there is a bound; the queues beyond it share one and are looked at in turn.
 */
import { Inject, Injectable } from '@nestjs/common';
import { Config } from '@app/config';
import { idText } from '@app/database';
import { Clock, Loop, Loops } from '@app/lifecycle';
import { Doorbell } from '@app/queue';
import { Queues } from '@app/tasks';
import { Logger, repeatedLine } from '@app/telemetry';
import { Consumer } from './consumer.js';
import { Doorkeeper } from './doorkeeper.js';
import { Drawer } from './drawer.js';
import { Intake } from './intake.js';
import { Lease } from './lease.js';
import { PolledQueues } from './polled-queues.js';
import { RunningLimits } from './running-limits.js';

const READERS_MAX = 32;
const REFRESH_MS = 1_000;
const POLL_MS = 250;
/** Of the queues in which something was rung, how many one look at the database tells. */
const BUSY_PAGE = 100;
/** Served from the first moment by a worker of all queues; others are found when they are first used, within a second. */
const FIRST_QUEUES = ['default', 'system'];

@Injectable()
export class Readers {
  private readonly consumers = new Map<string, Consumer>();
  private readonly polled = new PolledQueues<Consumer>();
  private readonly refreshing: Loop;
  private readonly polling: Loop;
  private busyUpTo = '';
  /** One for all readers: they fail together. */
  private readonly warn: ReturnType<typeof repeatedLine>;

  constructor(
    @Inject(Config) private readonly config: Config,
    @Inject(Doorbell) private readonly doorbell: Doorbell,
    @Inject(Queues) private readonly queues: Queues,
    @Inject(Lease) private readonly lease: Lease,
    @Inject(Intake) private readonly intake: Intake,
    @Inject(Doorkeeper) private readonly doorkeeper: Doorkeeper,
    @Inject(RunningLimits) private readonly limits: RunningLimits,
    @Inject(Drawer) private readonly drawer: Drawer,
    @Inject(Loops) private readonly loops: Loops,
    @Inject(Clock) clock: Clock,
    @Inject(Logger) logger: Logger,
  ) {
    const away = 'Reading the doorbell failed; the backlog is claimed from the database meanwhile.';
    this.warn = repeatedLine(logger, () => clock.monotonic(), away);
    const loop = (
      name: string,
      intervalMs: number,
      tickMs: number | null,
      tick: (signal: AbortSignal) => Promise<{ again: boolean } | void>,
      message: string,
      isOutage?: () => boolean,
    ): Loop =>
      new Loop({
        name,
        intervalMs,
        tickMs,
        clock,
        tick,
        ...(isOutage && { isOutage }),
        onError: (err, failures) => {
          if (failures === 1) logger.warn({ err }, message);
        },
      });
    this.refreshing = loop(
      'worker.readers',
      REFRESH_MS,
      config.databaseStatementTimeoutMs,
      () => this.refresh(),
      'Reading the queues and pauses failed; trying again.',
    );
    this.polling = loop(
      'worker.poller',
      POLL_MS,
      null,
      (signal) => this.poll(signal),
      'Looking at the doorbell failed; trying again.',
      () => true,
    );
  }

  async start(): Promise<void> {
    const lookAgain = (): void => {
      this.drawer.lookAgain();
    };
    this.doorkeeper.onAside = lookAgain;
    this.intake.onRoom = lookAgain;
    await this.refresh();
    this.loops.run(this.refreshing);
    this.loops.run(this.polling);
  }

  /** Reads nothing more; resolves when what was read is claimed. */
  async stop(): Promise<void> {
    await Promise.all([this.loops.stop(this.refreshing), this.loops.stop(this.polling)]);
    await Promise.all([...this.consumers.values(), ...this.polled.values()].map((consumer) => consumer.stop()));
  }

  private async refresh(): Promise<void> {
    await this.intake.refreshPauses();
    await this.limits.refresh();
    const { workerQueues } = this.config;
    const known = workerQueues === '*' ? [...FIRST_QUEUES, ...(await this.queues.names())] : workerQueues;
    // At first it matters who gets a reader, afterwards who is looked at first, where a round does not reach all.
    const isAsked = this.consumers.size === 0 ? known.length > READERS_MAX : this.polled.isCrowded;
    const busy = isAsked ? await this.busy(workerQueues) : [];
    await this.serve(new Set([...busy, ...known]));
    this.polled.setBusy(busy);
  }

  /** A page of the queues in which something was rung; the next call goes on with the others. */
  private async busy(served: '*' | readonly string[]): Promise<string[]> {
    const names = await this.queues.busy(this.busyUpTo, BUSY_PAGE);
    this.busyUpTo = names.length < BUSY_PAGE ? '' : (names.at(-1) ?? '');
    return served === '*' ? names : names.filter((name) => served.includes(name));
  }

  private async serve(names: Iterable<string>): Promise<void> {
    for (const name of names) {
      if (this.consumers.has(name) || this.polled.has(name)) continue;
      const polling = this.consumers.size >= READERS_MAX;
      const onDry = (): void => {
        this.drawer.wake();
      };
      const consumer = new Consumer(name, idText(this.lease.id), this.doorbell, this.intake, this.doorkeeper, this.warn, onDry, polling);
      if (polling) {
        await this.polled.add(name, consumer)?.stop();
      } else {
        this.consumers.set(name, consumer);
        consumer.start();
      }
    }
  }

  /** A queue that is never empty has one look per lap like the others, and no lap is waited for after one that found something. */
  private async poll(signal: AbortSignal): Promise<{ again: boolean }> {
    let again = false;
    for (const consumer of this.polled.next()) {
      if (signal.aborted) break;
      if (await consumer.poll(signal)) again = true;
    }
    return { again };
  }
}
