/**
 * The four measurements. Each begins with nothing unfinished and ends when every handler has been started and the API says that
 * nothing is queued or running, so a rate always counts recorded outcomes, not handlers that were merely begun.
 */
import { until } from '../support/until.js';
import { clockMs } from './arrivals.js';
import type { Installation, Seconds } from './installation.js';
import type { LoadGenerator } from './load-generator.js';
import type { LoadJob, LoadReport } from './load-job.js';
import { quantile } from './statistics.js';

export const MODES = ['single', 'batch', 'drain', 'paced'] as const;
export type Mode = (typeof MODES)[number];

const BATCH = 200;
const SINGLE_SHARE = 0.4;
const PACE = { requestsPerSecond: 100, tasks: 500 };
const WARM_UP = 1_000;
const PATIENCE = { deadlineMs: 120_000, everyMs: 5 };

export interface Measurement {
  readonly tasks: number;
  readonly perSecond: number;
  /** CPU seconds per 1,000 tasks, by part; null where it could not be measured. */
  readonly cpu: Seconds;
  /** From the POST to its answer, in ms. */
  readonly answered: Quantiles;
  /** From the POST to the start of the handler, in ms. */
  readonly started: Quantiles;
}

export interface Quantiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** Called when the measured time begins; what it returns, when it is over. */
export type Observer = (mode: Mode) => () => Promise<void>;

export class Bench {
  private nextNumber = 1;

  constructor(
    private readonly installation: Installation,
    private readonly load: LoadGenerator,
    /** Of `batch` and `drain`; `single` takes fewer, because each costs more. */
    private readonly tasks: number,
    private readonly observe: Observer,
  ) {}

  /** Lets the compiler of each process see the code that is about to be measured. */
  async warmUp(): Promise<void> {
    for (const kind of [single(WARM_UP), batch(WARM_UP)]) await this.submitAndFinish(kind);
  }

  measure(mode: Mode): Promise<Measurement> {
    switch (mode) {
      case 'single':
        return this.throughput(mode, single(Math.round(this.tasks * SINGLE_SHARE)));
      case 'batch':
        return this.throughput(mode, batch(this.tasks));
      case 'paced':
        return this.throughput(mode, { ...single(PACE.tasks), requestsPerSecond: PACE.requestsPerSecond });
      case 'drain':
        return this.drain();
    }
  }

  private async throughput(mode: Mode, kind: Kind): Promise<Measurement> {
    const observed = this.observe(mode);
    const before = this.installation.processorTime();
    const { report, starts, firstNumber } = await this.submitAndFinish(kind);
    const after = this.installation.processorTime();
    const elapsedMs = clockMs() - report.startedAt;
    await observed();
    const waits = [...starts].map(
      ([number, startedAt]) => startedAt - report.dueAt[Math.floor((number - firstNumber) / kind.tasksPerRequest)]!,
    );
    return {
      ...rates(kind.tasks, elapsedMs, before, after),
      answered: quantiles(report.answeredMs),
      started: quantiles(Float64Array.from(waits)),
    };
  }

  /** The worker's boot is not measured: the clock starts when it has run the first tasks, which also warm it up. */
  private async drain(): Promise<Measurement> {
    const { installation } = this;
    await installation.stopWorking();
    const first = installation.arrivals.count;
    const kind = batch(this.tasks + WARM_UP);
    const report = await this.submit(kind);
    await installation.startWorking();
    await until(() => installation.arrivals.count - first >= WARM_UP, { ...PATIENCE, what: 'the first tasks of the backlog' });
    const before = installation.processorTime();
    const startedAt = clockMs();
    const left = kind.tasks - (installation.arrivals.count - first);
    const observed = this.observe('drain');
    const starts = await this.finish(first, kind.tasks);
    const after = installation.processorTime();
    const elapsedMs = clockMs() - startedAt;
    await observed();
    const waits = Float64Array.from([...starts.values()], (at) => at - report.startedAt);
    return { ...rates(left, elapsedMs, before, after), answered: quantiles(report.answeredMs), started: quantiles(waits) };
  }

  private async submitAndFinish(kind: Kind): Promise<{ report: LoadReport; starts: Map<number, number>; firstNumber: number }> {
    const first = this.installation.arrivals.count;
    const firstNumber = this.nextNumber;
    const report = await this.submit(kind);
    return { report, starts: await this.finish(first, kind.tasks), firstNumber };
  }

  private async submit(kind: Kind): Promise<LoadReport> {
    const { url, token } = this.installation;
    const firstNumber = this.nextNumber;
    this.nextNumber += kind.tasks;
    return this.load.run({ url, token, firstNumber, ...kind });
  }

  /** Resolves when all is recorded; fails where a task never ran. */
  private async finish(first: number, tasks: number): Promise<Map<number, number>> {
    const { arrivals } = this.installation;
    const depth = () => this.installation.depth();
    await until(() => arrivals.count - first >= tasks, { ...PATIENCE, what: `${tasks} handlers to start` });
    await until(async () => (await depth()).unfinished === 0, { ...PATIENCE, what: 'the last outcome to be recorded' });
    const { failed } = await depth();
    if (failed > 0) throw new Error(`${failed} tasks have failed.`);
    const starts = arrivals.since(first);
    if (starts.size !== tasks) throw new Error(`${tasks} tasks were submitted and ${starts.size} ran.`);
    return starts;
  }
}

type Kind = Pick<LoadJob, 'tasks' | 'tasksPerRequest' | 'connections' | 'requestsPerSecond'>;

function single(tasks: number): Kind {
  return { tasks, tasksPerRequest: 1, connections: 64, requestsPerSecond: null };
}

function batch(tasks: number): Kind {
  return { tasks, tasksPerRequest: BATCH, connections: 4, requestsPerSecond: null };
}

function rates(tasks: number, elapsedMs: number, before: Seconds, after: Seconds): Pick<Measurement, 'tasks' | 'perSecond' | 'cpu'> {
  const cpu = Object.entries(after).map(([part, seconds]): [string, number | null] => {
    const earlier = before[part] ?? null;
    return [part, seconds === null || earlier === null ? null : ((seconds - earlier) * 1_000) / tasks];
  });
  return { tasks, perSecond: (tasks * 1_000) / elapsedMs, cpu: Object.fromEntries(cpu) };
}

function quantiles(values: Float64Array): Quantiles {
  return { p50: quantile(values, 0.5), p95: quantile(values, 0.95), p99: quantile(values, 0.99) };
}
