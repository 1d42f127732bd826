/**
 * Compares what the register says this worker runs with what it really runs, and gives back what nobody here holds. Every way
 * into such a state is closed elsewhere; this is the timer for the one that is not, because a task that is `running` under a
 * worker that lives is a task that nobody else will ever take. What was claimed in the last seconds is not among what it sees, until the
 * scheduler has cleared the notes of those claims.
 *
 * A row must be missing here twice in a row, since a claim is in the register a moment before it is in the executor, and an outcome a moment
 * before it leaves it. And what was missing twice is looked at once more between claims: one whose answer is lost may hold tasks that will
 * be begun as soon as the database says so.
 */
import { Inject, Injectable } from '@nestjs/common';
import { Config } from '@app/config';
import { Clock, Loop, Loops } from '@app/lifecycle';
import { TaskClaimer, type ClaimedTask } from '@app/tasks';
import { Logger } from '@app/telemetry';
import { Executor } from './executor.js';
import { Intake } from './intake.js';
import { Lease } from './lease.js';

const LOOKS_PER_LEASE = 1.5;

@Injectable()
export class Audit {
  private readonly loop: Loop;
  private suspected = new Set<string>();

  constructor(
    @Inject(Config) config: Config,
    @Inject(Lease) private readonly lease: Pick<Lease, 'id' | 'held'>,
    @Inject(Executor) private readonly executor: Pick<Executor, 'holds' | 'disown'>,
    @Inject(Intake) private readonly intake: Pick<Intake, 'oneAtATime'>,
    @Inject(TaskClaimer) private readonly claimer: Pick<TaskClaimer, 'running' | 'held'>,
    @Inject(Loops) private readonly loops: Loops,
    @Inject(Clock) clock: Clock,
    @Inject(Logger) private readonly logger: Logger,
  ) {
    this.loop = new Loop({
      name: 'worker.audit',
      intervalMs: Math.round(config.workerLeaseMs / LOOKS_PER_LEASE),
      tickMs: null,
      clock,
      tick: (signal) => this.look(signal),
      onError: (err, failures) => {
        if (failures === 1) logger.warn({ err }, 'Comparing the register with what runs here failed; trying again.');
      },
    });
  }

  start(): void {
    this.loops.run(this.loop);
  }

  async stop(): Promise<void> {
    await this.loops.stop(this.loop);
  }

  /** One comparison. What it gives back is recorded in its own time, and held until then. */
  async look(signal: AbortSignal): Promise<void> {
    const worker = this.lease.id;
    if (!this.lease.held) return;
    const missing = (await this.claimer.running(worker)).filter((task) => !this.executor.holds(task));
    const again = missing.filter((task) => this.suspected.has(keyOf(task)));
    this.suspected = new Set(missing.map(keyOf));
    if (again.length > 0) await this.intake.oneAtATime(() => this.takeBack(worker, again, signal));
  }

  /** Those of the tasks that are still nobody's. To be called when no claim is under way; that may have taken as long as an outage. */
  private async takeBack(worker: Buffer, tasks: readonly ClaimedTask[], signal: AbortSignal): Promise<void> {
    if (signal.aborted || !this.holdsLease(worker)) return;
    const keys = new Set(tasks.map(keyOf));
    const found = await this.claimer.held(
      worker,
      tasks.map(({ bytes }) => bytes),
    );
    if (!this.holdsLease(worker)) return;
    for (const task of found.filter((one) => keys.has(keyOf(one)) && !this.executor.holds(one))) {
      this.logger.error({ taskId: task.id, attempt: task.attempt }, 'A task was held by this worker without being run; it is given back.');
      const message = 'The worker held the task without running it, and gave it back.';
      void this.executor.disown(worker, task, { code: 'not-run', message });
    }
  }

  private holdsLease(worker: Buffer): boolean {
    return this.lease.held && worker.equals(this.lease.id);
  }
}

const keyOf = ({ id, attempt }: ClaimedTask): string => `${id} ${attempt}`;
