/**
 * The measurements. Each begins with nothing unfinished and ends when every handler has been started and the contender says that
 * nothing is queued or running, so where it keeps outcomes a rate counts recorded outcomes, not handlers that were merely begun.
 */
import { until } from '../support/until.js';
import { countsPerTask } from './counts.js';
import { clockMs } from './lanes.mjs';
import type { LoadJob, LoadReport } from './load-job.js';
import type { Counts, Seconds, Site } from './site.js';
import { quiet } from './quiet.js';
import { quantile } from './statistics.js';

export const MODES = ['bulk', 'single', 'drain', 'paced', 'accept'] as const;
export type Mode = (typeof MODES)[number];

const BATCH = 200;
const SINGLE_SHARE = 0.4;
const PACE = { requestsPerSecond: 100, tasks: 500 };
const WARM_UP: WarmUp = { batch: 6_000, single: 2_000, drain: 1_000, accept: 2_000 };
/** For what is compared with others: a worker or a service runs for days, and what is measured is the code that the compiler has made by then. */
export const LONG_WARM_UP: WarmUp = { batch: 30_000, single: 8_000, drain: 20_000, accept: 15_000 };
const PATIENCE = { deadlineMs: 120_000, everyMs: 5 };

export interface Measurement {
  readonly tasks: number;
  readonly perSecond: number;
  /** CPU seconds per 1,000 tasks, by part; null where it could not be measured. */
  readonly cpu: Seconds;
  /** Per task. */
  readonly counts: Counts;
  /** In MiB by process, at the end. */
  readonly memory: Seconds;
  /** From the submission to its answer, in ms. */
  readonly answered: Quantiles;
  /** From the submission to the start of the handler, in ms; NaN where nothing runs. */
  readonly started: Quantiles;
  /** Of a latency: whether the machine was quiet when it began. */
  readonly isAtRest?: boolean;
}

/** How many tasks of each kind come before what is measured. */
export interface WarmUp {
  readonly batch: number;
  readonly single: number;
  /** Of the backlog, by the worker that is started for it. */
  readonly drain: number;
  readonly accept: number;
}

export interface Quantiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** Called when the measured time begins; what it returns, when it is over. */
export type Observer = (mode: Mode) => () => Promise<void>;

interface Reading {
  readonly time: Seconds;
  readonly counts: Counts;
}

export class Bench {
  private nextNumber = 1;
  private warm = WARM_UP;

  constructor(
    private readonly site: Site,
    /** Of `bulk` and `drain`; `single` and `accept` take fewer, because each costs more. */
    private readonly tasks: number,
    /** Makes the single ones of a slow contender still fewer: 0 … 1. */
    private readonly pace: number,
    private readonly observe: Observer,
    /** Of the text in a payload, where it is not the ordinary one. */
    private readonly bytes?: number,
  ) {}

  /** Lets the compiler of each process see the code that is about to be measured. */
  async warmUp(modes: readonly Mode[], sizes: WarmUp = WARM_UP): Promise<void> {
    this.warm = sizes;
    if (modes.every((mode) => mode === 'accept')) {
      await this.submit(single(sizes.accept));
      return;
    }
    if (modes.some((mode) => mode === 'bulk' || mode === 'drain')) await this.submitAndFinish(batch(sizes.batch));
    // Where nothing but a latency follows, everybody has as much behind him.
    const pace = modes.every((mode) => mode === 'paced') ? 1 : this.pace;
    await this.submitAndFinish(single(Math.round(sizes.single * pace)));
  }

  async measure(mode: Mode): Promise<Measurement> {
    const few = Math.round(this.tasks * SINGLE_SHARE * this.pace);
    switch (mode) {
      case 'single':
        return this.throughput(mode, single(few));
      case 'bulk':
        return this.throughput(mode, batch(this.tasks));
      case 'paced':
        return this.latency();
      case 'drain':
        return this.drain();
      case 'accept':
        return this.accept(single(few));
    }
  }

  private async latency(): Promise<Measurement> {
    const isAtRest = await quiet();
    return { ...(await this.throughput('paced', { ...single(PACE.tasks), requestsPerSecond: PACE.requestsPerSecond })), isAtRest };
  }

  private async throughput(mode: Mode, kind: Kind): Promise<Measurement> {
    const observed = this.observe(mode);
    const before = await this.read();
    const { report, starts, firstNumber } = await this.submitAndFinish(kind);
    const elapsedMs = clockMs() - report.startedAt;
    const figures = await this.figures(kind.tasks, elapsedMs, before);
    await observed();
    const waits = [...starts].map(
      ([number, startedAt]) => startedAt - report.dueAt[Math.floor((number - firstNumber) / kind.tasksPerRequest)]!,
    );
    return { ...figures, answered: quantiles(report.answeredMs), started: quantiles(Float64Array.from(waits)) };
  }

  /** The worker's boot is not measured: the clock starts when it has run the first tasks, which also warm it up. */
  private async drain(): Promise<Measurement> {
    const { site } = this;
    await site.stopWorking();
    const first = site.arrivals.count;
    const kind = batch(this.tasks + this.warm.drain);
    const report = await this.submit(kind);
    const before = await this.read();
    await site.startWorking();
    await until(() => site.arrivals.count - first >= this.warm.drain, { ...PATIENCE, what: 'the first tasks of the backlog' });
    const time = site.processorTime();
    const startedAt = clockMs();
    const left = kind.tasks - (site.arrivals.count - first);
    const observed = this.observe('drain');
    const starts = await this.finish(first, kind.tasks);
    const elapsedMs = clockMs() - startedAt;
    const figures = await this.figures(left, elapsedMs, { ...before, time }, kind.tasks);
    await observed();
    const waits = Float64Array.from([...starts.values()], (at) => at - report.startedAt);
    return { ...figures, answered: quantiles(report.answeredMs), started: quantiles(waits) };
  }

  /** Only what it takes to accept: nobody works. It leaves a backlog, and so comes last. */
  private async accept(kind: Kind): Promise<Measurement> {
    await this.site.stopWorking();
    await this.submit(single(this.warm.accept));
    const observed = this.observe('accept');
    const before = await this.read();
    const report = await this.submit(kind);
    const figures = await this.figures(kind.tasks, clockMs() - report.startedAt, before);
    await observed();
    return { ...figures, answered: quantiles(report.answeredMs), started: quantiles(new Float64Array()) };
  }

  private async read(): Promise<Reading> {
    const counts = await this.site.counts();
    return { counts, time: this.site.processorTime() };
  }

  /** `counted`: how many tasks the servers' counts belong to, where that differs. */
  private async figures(
    tasks: number,
    elapsedMs: number,
    before: Reading,
    counted = tasks,
  ): Promise<Omit<Measurement, 'answered' | 'started'>> {
    const time = this.site.processorTime();
    const memory = this.site.memory();
    const counts = countsPerTask(before.counts, await this.site.counts(), counted);
    const cpu = Object.entries(time).map(([part, seconds]): [string, number | null] => {
      const earlier = before.time[part] ?? null;
      return [part, seconds === null || earlier === null ? null : ((seconds - earlier) * 1_000) / tasks];
    });
    return { tasks, perSecond: (tasks * 1_000) / elapsedMs, cpu: Object.fromEntries(cpu), counts, memory };
  }

  private async submitAndFinish(kind: Kind): Promise<{ report: LoadReport; starts: Map<number, number>; firstNumber: number }> {
    const first = this.site.arrivals.count;
    const firstNumber = this.nextNumber;
    const report = await this.submit(kind);
    return { report, starts: await this.finish(first, kind.tasks), firstNumber };
  }

  private async submit(kind: Kind): Promise<LoadReport> {
    const firstNumber = this.nextNumber;
    this.nextNumber += kind.tasks;
    return this.site.submit({ firstNumber, ...kind, ...(this.bytes !== undefined && { bytes: this.bytes }) });
  }

  /** Resolves when all is recorded; fails where a task never ran. */
  private async finish(first: number, tasks: number): Promise<Map<number, number>> {
    const { site } = this;
    const { arrivals } = site;
    await until(() => arrivals.count - first >= tasks, { ...PATIENCE, what: `${tasks} handlers to start` });
    await until(async () => (await site.depth()).unfinished === 0, { ...PATIENCE, what: 'the last outcome to be recorded' });
    const { failed } = await site.depth();
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

function quantiles(values: Float64Array): Quantiles {
  return { p50: quantile(values, 0.5), p95: quantile(values, 0.95), p99: quantile(values, 0.99) };
}
