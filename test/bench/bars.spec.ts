import { describe, expect, it } from '@jest/globals';
import { BARS, cpuOf, judge, type Bar, type Round } from './bars.js';
import { countsPerTask, NOTHING_COUNTED } from './counts.js';
import type { Measurement } from './measure.js';
import { bars } from './report.js';

const QUANTILES = { p50: 1, p95: 2, p99: 3 };
const measured = (perSecond: number, more: Partial<Measurement> = {}): Measurement => ({
  tasks: 1_000,
  perSecond,
  cpu: { worker: 0.01, redis: 0.02 },
  counts: { ...NOTHING_COUNTED, commits: 0.02 },
  memory: {},
  answered: QUANTILES,
  started: QUANTILES,
  ...more,
});
const against = (ours: number, theirs: number): Round => ({
  product: { bulk: measured(ours), 'http.accept': measured(ours) },
  bullmq: { bulk: measured(theirs) },
  hello: { 'http.accept': measured(theirs) },
});
const barOf = (words: string): Bar => BARS.find(({ what }) => what.includes(words))!;
const only = (bar: Bar, rounds: readonly Round[]) => judge(rounds, [bar])[0]!;

describe('a bar', () => {
  const bulk = barOf('÷ BullMQ addBulk');

  it.each([
    [2.3, 'aim held'],
    [2.29, 'must held'],
    [1.5, 'must held'],
    [1.49, 'missed'],
  ] as const)('of at least 1.5, aim 2.3, is judged at %d: %s', (value, verdict) => {
    expect(only(bulk, [against(value * 100, 100)]).verdict).toBe(verdict);
  });

  it.each([
    [0.03, 'aim held'],
    [0.031, 'must held'],
    [0.1, 'must held'],
    [0.11, 'missed'],
  ] as const)('of at most 0.1, aim 0.03, is judged at %d: %s', (commits, verdict) => {
    const round: Round = { product: { bulk: measured(1, { counts: { ...NOTHING_COUNTED, commits } }) } };
    expect(only(barOf('commits per task'), [round]).verdict).toBe(verdict);
  });

  it('is the median of the ratios of the rounds, not the ratio of the medians', () => {
    const rounds = [against(100, 100), against(30, 10), against(200, 100)];
    expect(only(bulk, rounds)).toMatchObject({ values: [1, 3, 2], value: 2 });
    expect(only(bulk, rounds.slice(0, 2)).value).toBe(2);
  });

  it('has no verdict where a contender is missing, and skips the rounds in which one is', () => {
    const alone: Round = { product: { bulk: measured(100) } };
    expect(only(bulk, [alone])).toMatchObject({ value: null, verdict: 'not measured' });
    expect(only(bulk, [alone, against(160, 100)])).toMatchObject({ values: [1.6], verdict: 'must held' });
  });

  it('stands beside the same ratio by CPU, which is no bar', () => {
    const dear: Round = { product: { bulk: measured(400, { cpu: { worker: 0.06 } }) }, bullmq: { bulk: measured(100) } };
    expect(only(bulk, [dear])).toMatchObject({ value: 4, byCpu: 0.5, verdict: 'aim held' });
  });

  it('finds figures of both ways of submitting', () => {
    expect(only(barOf('Express hello'), [against(85, 100)])).toMatchObject({ value: 0.85, verdict: 'aim held' });
  });

  it('on CPU has no verdict where a part of a contender could not be measured', () => {
    const bar = barOf('CPU seconds');
    const round = against(1, 1);
    expect(only(bar, [round]).value).toBe(1);
    const blind: Round = { ...round, bullmq: { bulk: measured(1, { cpu: { consumer: 0.01, redis: null } }) } };
    expect(only(bar, [blind]).verdict).toBe('not measured');
  });
});

describe('the bars', () => {
  it('are within reach of each other: an aim asks for more than a must', () => {
    for (const { bound, must, aim } of BARS) expect(bound === 'at least' ? aim > must : aim < must).toBe(true);
  });

  it('are printed with their verdicts', () => {
    const text = bars(judge([against(100, 100)], [barOf('÷ BullMQ addBulk'), barOf('÷ pg-boss')]));
    expect(text.split('\n').slice(2)).toEqual([
      '| end to end, batches of 200, ÷ BullMQ addBulk | ≥ 1.5 | ≥ 2.3 | 1 | **missed** | 1 |',
      '| end to end, batches of 200, ÷ pg-boss | ≥ 1.2 | ≥ 1.6 | – | not measured |  |',
    ]);
  });
});

describe('a sum of CPU', () => {
  it('adds the parts, and is no number where one is unknown', () => {
    expect(cpuOf(measured(1))).toBeCloseTo(0.03);
    expect(cpuOf(measured(1, { cpu: { worker: 1, redis: null } }))).toBeNaN();
  });
});

describe('counts', () => {
  it('are per task, and unknown where either reading is', () => {
    const before = { commits: 10, fsyncs: null, statements: 5, commands: 0 };
    const after = { commits: 30, fsyncs: 7, statements: null, commands: 200 };
    expect(countsPerTask(before, after, 100)).toEqual({ commits: 0.2, fsyncs: null, statements: null, commands: 2 });
  });
});
