/**
 * What has to be reached, as ratios to the peers of the same run: a must and an aim for each. A ratio is the median of the ratios of the
 * rounds, because within a round the machine is most nearly the same.
 */
import type { Measurement } from './measure.js';
import { median } from './statistics.js';

/** Contender → figure (`bulk`, `http.single` …) → what one round measured. */
export type Round = Readonly<Record<string, Readonly<Record<string, Measurement>>>>;

export interface Bar {
  readonly what: string;
  /** A ratio or a figure must be at least, or at most, this. */
  readonly bound: 'at least' | 'at most';
  readonly must: number;
  readonly aim: number;
  /** Null where the round lacks a figure. */
  readonly of: (round: Round) => number | null;
  /** The same by CPU per task, where `of` goes by tasks per second: how many of ours one of theirs would pay for. No bar, but steadier. */
  readonly byCpu: ((round: Round) => number | null) | null;
}

export type Verdict = 'aim held' | 'must held' | 'missed' | 'not measured';

export interface Judged {
  readonly bar: Bar;
  /** Of each round that has it. */
  readonly values: readonly number[];
  readonly value: number | null;
  readonly byCpu: number | null;
  readonly verdict: Verdict;
}

export const BARS: readonly Bar[] = [
  more('end to end, batches of 200, ÷ BullMQ addBulk', 1.5, 2.3, rates('product.bulk', 'bullmq.bulk')),
  more('end to end, single submissions in process, 64 in flight, ÷ BullMQ add', 1, 1.4, rates('product.single', 'bullmq.single')),
  more('end to end, batches of 200, ÷ pg-boss', 1.2, 1.6, rates('product.bulk', 'pg-boss.bulk')),
  more('end to end, batches of 200, ÷ graphile-worker', 0.8, 1.05, rates('product.bulk', 'graphile-worker.bulk')),
  more('single durable submissions, end to end, ÷ pg-boss', 5, 10, rates('product.single', 'pg-boss.single')),
  more('single durable submissions, end to end, ÷ graphile-worker', 5, 10, rates('product.single', 'graphile-worker.single')),
  more('drain of a backlog by one worker ÷ BullMQ (concurrency 500)', 1.5, 2.5, rates('product.drain', 'bullmq.drain')),
  less('CPU seconds per 1,000 tasks, batches of 200, ÷ BullMQ', 0.8, 0.5, ratio('product.bulk', 'bullmq.bulk', cpuOf)),
  less(
    'latency at 100 tasks/s, p50, ÷ BullMQ',
    3,
    1.8,
    ratio('product.paced', 'bullmq.paced', ({ started }) => started.p50),
  ),
  less(
    'latency at 100 tasks/s, p95, ÷ BullMQ',
    3,
    1.8,
    ratio('product.paced', 'bullmq.paced', ({ started }) => started.p95),
  ),
  more('`POST /api/tasks`, 64 connections, ÷ Nest + Express hello', 0.6, 0.85, rates('product.http.accept', 'hello.http.accept')),
  more('the same ÷ Nest + passport-jwt + INSERT (secret as a key object)', 2, 5, rates('product.http.accept', 'plain.http.accept')),
  more(
    '`POST /api/tasks/batch` of 200, to the last handler, ÷ BullMQ addBulk in process',
    0.8,
    1.5,
    rates('product.http.bulk', 'bullmq.bulk'),
  ),
  less('commits per task, batches of 200', 0.1, 0.03, (round) => find(round, 'product.bulk')?.counts.commits ?? null),
  more('embedded (SQLite) end to end, batches of 200, ÷ BullMQ', 1, 2, rates('embedded.bulk', 'bullmq.bulk')),
];

export function judge(rounds: readonly Round[], bars: readonly Bar[] = BARS): Judged[] {
  return bars.map((bar) => {
    const values = valuesOf(rounds, bar.of);
    const value = values.length === 0 ? null : median(values);
    const byCpu = bar.byCpu === null ? [] : valuesOf(rounds, bar.byCpu);
    return { bar, values, value, byCpu: byCpu.length === 0 ? null : median(byCpu), verdict: verdictOf(bar, value) };
  });
}

function valuesOf(rounds: readonly Round[], of: Bar['of']): number[] {
  return rounds.flatMap((round) => {
    const value = of(round);
    return value === null || !Number.isFinite(value) ? [] : [value];
  });
}

/** All of a task's CPU; NaN where a part of it could not be measured, because a sum without it would flatter. */
export function cpuOf({ cpu }: Pick<Measurement, 'cpu'>): number {
  return Object.values(cpu).reduce<number>((sum, seconds) => sum + (seconds ?? Number.NaN), 0);
}

function verdictOf({ bound, must, aim }: Bar, value: number | null): Verdict {
  if (value === null) return 'not measured';
  const reaches = (limit: number): boolean => (bound === 'at least' ? value >= limit : value <= limit);
  if (reaches(aim)) return 'aim held';
  return reaches(must) ? 'must held' : 'missed';
}

/** Of an even number the mean of the two in the middle. */

function rates(ours: string, theirs: string): Pick<Bar, 'of' | 'byCpu'> {
  return { of: ratio(ours, theirs, ({ perSecond }) => perSecond), byCpu: ratio(ours, theirs, (measurement) => 1 / cpuOf(measurement)) };
}

function ratio(ours: string, theirs: string, of: (measurement: Measurement) => number): Bar['of'] {
  return (round) => {
    const [own, other] = [find(round, ours), find(round, theirs)];
    return own === undefined || other === undefined ? null : of(own) / of(other);
  };
}

/** `product.http.bulk`: a contender and its figure. */
function find(round: Round, path: string): Measurement | undefined {
  const [contender = '', ...figure] = path.split('.');
  return round[contender]?.[figure.join('.')];
}

function more(what: string, must: number, aim: number, ratios: Pick<Bar, 'of' | 'byCpu'>): Bar {
  return { what, bound: 'at least', must, aim, ...ratios };
}

function less(what: string, must: number, aim: number, of: Bar['of']): Bar {
  return { what, bound: 'at most', must, aim, of, byCpu: null };
}
