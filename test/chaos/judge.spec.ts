/**
 * The judge must be able to condemn: each counter is shown evidence in which exactly what it counts is forged into an otherwise
 * sound campaign, and rises; and the sound campaign itself is acquitted.
 */
import { describe, expect, it } from '@jest/globals';
import type { Evidence } from './evidence.js';
import type { FaultRecord } from './inject.js';
import { CHECKS, judge, violations } from './judge.js';
import type { Submission } from './ledger.js';
import type { Life } from './node.js';
import type { Kind, PlannedTask } from './plan-tasks.js';
import { msOf } from './recovery.js';
import type { AttemptRow, TaskRow } from './register.js';
import type { Effect, Line } from './witness.js';

const WORKER = 100;
const OTHER = 200;

/** One task's share of the evidence; a forger changes what he likes. */
interface Traces {
  submission: Submission;
  tasks: TaskRow[];
  attempts: AttemptRow[];
  lines: Line[];
  effects: Effect[];
}

const idOf = (n: number): string => `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`;

function line(n: number, attempt: number, what: Line['what'], at: number, more: Partial<Line> = {}): Line {
  return { at, what, n, id: idOf(n), attempt, pid: WORKER, wall: at, ...more };
}

function attempt(n: number, number: number, outcome: string, more: Partial<AttemptRow> = {}): AttemptRow {
  const result = outcome === 'succeeded' ? JSON.stringify({ n }) : null;
  return { id: idOf(n), attempt: number, outcome, code: '', result, startedAt: 0, finishedAt: 0, ...more };
}

/** A task that was accepted at 1,000, ran on one worker from 2,000 to 3,000, and succeeded. */
function traces(n: number, kind: Kind = 'quick'): Traces {
  const plan: PlannedTask = {
    ...{ n, kind, tenant: 'chaos-a', body: { name: `chaos.${kind}` } },
    ...{ batch: null, twice: false, cancelAfterMs: null },
  };
  return {
    submission: { plan, ids: new Set([idOf(n)]), sentAt: 990, acceptedAt: 1_000, cancel: null },
    tasks: [{ id: idOf(n), n, state: 'succeeded', reason: 'none', attempt: 1, failures: 0, crashes: 0, snoozes: 0 }],
    attempts: [attempt(n, 1, 'succeeded')],
    lines: [line(n, 1, 'start', 2_000), line(n, 1, 'applied', 2_500), line(n, 1, 'end', 3_000)],
    effects: [{ token: idOf(n), n }],
  };
}

/** The same, after a first attempt that began at 1,500 and was lost with its worker at 1,800. */
function lostOnce(n: number, kind: Kind = 'quick'): Traces {
  const sound = traces(n, kind);
  return {
    ...sound,
    tasks: [{ ...sound.tasks[0]!, attempt: 2, crashes: 1 }],
    attempts: [attempt(n, 1, 'lost'), attempt(n, 2, 'succeeded')],
    lines: [line(n, 1, 'start', 1_500, { pid: OTHER }), ...sound.lines.map((of) => ({ ...of, attempt: 2 }))],
  };
}

function life(pid: number, more: Partial<Life> = {}): Life {
  return { node: 'worker-1', role: 'worker', pid, bornAt: 0, readyAt: 1, endedAt: null, end: null, exit: '', frozen: [], ...more };
}

const KILLED = life(OTHER, { node: 'worker-2', endedAt: 1_800, end: 'killed' });
const KILL: FaultRecord = {
  ...{ index: 0, name: 'kill worker', fault: { kind: 'kill', node: 'worker-2', ms: 0 }, at: 1_800, healedAt: 2_600 },
  ...{ pid: OTHER, note: '' },
};

function evidenceOf(all: readonly Traces[], more: Partial<Evidence> = {}): Evidence {
  return {
    ...{ submissions: all.map(({ submission }) => submission), odd: [], lines: all.flatMap(({ lines }) => lines) },
    ...{ effects: all.flatMap(({ effects }) => effects), tasks: all.flatMap(({ tasks }) => tasks) },
    ...{ attempts: all.flatMap(({ attempts }) => attempts), lives: [life(WORKER), KILLED], faults: [KILL] },
    ...{ concurrency: 2, workers: 2, poisonCrashes: 3, endedAt: 10_000 },
    ...more,
  };
}

/** Counter → what it found, without the counters that found nothing. */
function found(evidence: Evidence): Record<string, number> {
  const counts = [...judge(evidence).findings].map(([{ name }, findings]) => [name, findings.length] as const);
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

/** A campaign of three sound tasks, the first of which is forged. */
function forged(forge: (of: Traces) => void, from: Traces = traces(0)): Record<string, number> {
  forge(from);
  return found(evidenceOf([from, traces(1), lostOnce(2)]));
}

const change = (of: Traces, to: Partial<TaskRow>): void => {
  of.tasks = of.tasks.map((row) => ({ ...row, ...to }));
};

describe('the judge', () => {
  it('acquits a sound campaign, and tells how long its recovery took', () => {
    const judgement = judge(evidenceOf([traces(0), lostOnce(1)]));
    expect(violations(judgement)).toBe(0);
    expect(judgement.recoveries).toEqual([{ name: 'kill worker', tasks: [{ n: 1, ms: 200 }] }]);
    expect(judgement.figures).toMatchObject({ repeated: 1, repeatable: 2, overlaps: 0, poisoned: 0 });
    expect(judgement.figures.waits.map(msOf)).toEqual([1_000, 500]);
  });

  it('acquits every kind of task that ends as its kind does', () => {
    const flaky = traces(0, 'flaky');
    change(flaky, { attempt: 3, failures: 2 });
    flaky.attempts = [attempt(0, 1, 'failed'), attempt(0, 2, 'failed'), attempt(0, 3, 'succeeded')];
    flaky.lines = [1, 2].flatMap((number) => [line(0, number, 'start', number * 100), line(0, number, 'throw', number * 100 + 1)]);
    flaky.lines.push(line(0, 3, 'start', 2_000), line(0, 3, 'end', 3_000));
    const hopeless = traces(1, 'hopeless');
    change(hopeless, { state: 'failed', reason: 'permanent_error', failures: 1 });
    Object.assign(hopeless, {
      attempts: [attempt(1, 1, 'failed')],
      lines: [line(1, 1, 'start', 2_000), line(1, 1, 'throw', 2_001)],
      effects: [],
    });
    const cancelled = traces(2, 'cancelled');
    change(cancelled, { state: 'cancelled' });
    Object.assign(cancelled, { attempts: [attempt(2, 1, 'cancelled')], lines: [line(2, 1, 'start', 2_000), line(2, 1, 'throw', 2_001)] });
    const snoozed = traces(3, 'snoozed');
    change(snoozed, { attempt: 2, snoozes: 1 });
    snoozed.attempts = [attempt(3, 1, 'snoozed'), attempt(3, 2, 'succeeded')];
    snoozed.lines = [line(3, 1, 'start', 1_000), line(3, 1, 'throw', 1_001, { error: 'DeferError' })];
    snoozed.lines.push(line(3, 2, 'start', 2_000), line(3, 2, 'end', 3_000));
    expect(found(evidenceOf([flaky, hopeless, cancelled, snoozed]))).toEqual({});
  });

  it('has a test here for every counter', () => {
    const names = CHECKS.map(({ name }) => name);
    expect(Object.keys(CONDEMNED).sort()).toEqual([...names].sort());
  });
});

/** Counter → a campaign that it condemns, and everything that is found in it. */
const CONDEMNED: Readonly<Record<string, () => Record<string, number>>> = {
  lost: () => forged((of) => Object.assign(of, { tasks: [], attempts: [], lines: [], effects: [] })),
  'accepted twice': () =>
    forged((of) => {
      of.tasks.push({ ...of.tasks[0]!, id: idOf(99) });
      of.attempts.push(attempt(0, 1, 'succeeded', { id: idOf(99) }));
      of.lines.push(line(0, 1, 'start', 2_000, { id: idOf(99) }), line(0, 1, 'end', 3_000, { id: idOf(99) }));
      of.effects = [
        { token: idOf(0), n: 0 },
        { token: idOf(99), n: 0 },
      ];
    }),
  'never accepted': () =>
    forged((of) =>
      Object.assign(of, {
        tasks: [],
        attempts: [],
        lines: [],
        effects: [],
        submission: { ...of.submission, ids: new Set(), acceptedAt: null },
      }),
    ),
  'odd answers': () => found(evidenceOf([traces(0)], { odd: [{ at: 1, n: 0, what: '500' }] })),
  'shut without Redis': () => {
    const outage: FaultRecord = {
      ...KILL,
      name: 'redis killed',
      fault: { kind: 'redis killed', ms: 3_000 },
      at: 0,
      healedAt: 3_000,
      pid: null,
    };
    const late = Array.from({ length: 30 }, (_, n) => traces(n));
    for (const of of late) Object.assign(of.submission, { sentAt: 500, acceptedAt: 3_500 });
    return found(evidenceOf(late, { faults: [outage] }));
  },
  stuck: () =>
    forged((of) => {
      change(of, { state: 'running' });
      Object.assign(of, { attempts: [], lines: [line(0, 1, 'start', 2_000)], effects: [] });
    }),
  'double outcomes': () =>
    forged((of) => {
      change(of, { attempt: 2 });
      of.attempts.push(attempt(0, 2, 'succeeded'));
      of.lines.push(line(0, 2, 'start', 4_000), line(0, 2, 'end', 5_000));
    }),
  contradictions: () =>
    forged((of) => {
      of.lines = of.lines.filter(({ what }) => what !== 'end');
    }),
  'wrong ends': () =>
    forged((of) => {
      change(of, { failures: 1, attempt: 2 });
      of.attempts = [attempt(0, 1, 'failed'), attempt(0, 2, 'succeeded')];
      of.lines = [line(0, 1, 'start', 500), line(0, 1, 'throw', 600), ...of.lines.map((one) => ({ ...one, attempt: 2 }))];
    }),
  'poison false positives': () =>
    forged((of) => {
      change(of, { state: 'failed', reason: 'poison', crashes: 3, attempt: 2 });
      Object.assign(of, { attempts: [attempt(0, 1, 'lost'), attempt(0, 2, 'lost')], effects: [] });
      of.lines = [line(0, 1, 'start', 1_000, { pid: OTHER })];
    }),
  'gaps in the attempts': () =>
    forged((of) => {
      change(of, { attempt: 3 });
      of.attempts = [attempt(0, 1, 'lost'), attempt(0, 3, 'succeeded')];
      of.lines = of.lines.map((one) => ({ ...one, attempt: 3 }));
    }),
  'unrecorded executions': () =>
    forged((of) => {
      of.lines.push(line(0, 1, 'start', 5_000), line(0, 1, 'end', 6_000));
    }),
  'duplicate effects': () =>
    forged((of) => {
      of.effects.push({ token: 'another-token', n: 0 });
    }),
  'missing effects': () =>
    forged((of) => {
      of.effects = [];
    }),
  'unfenced overlaps': () =>
    forged((of) => {
      change(of, { attempt: 2 });
      of.attempts = [attempt(0, 1, 'released'), attempt(0, 2, 'succeeded')];
      of.lines = [line(0, 1, 'start', 1_500), line(0, 1, 'throw', 2_500), ...of.lines.map((one) => ({ ...one, attempt: 2 }))];
    }),
  'lost checkpoints': () =>
    forged(
      (of) => {
        of.lines.push(line(0, 1, 'saved', 1_700, { step: 2, pid: OTHER }));
      },
      lostOnce(0, 'checkpointed'),
    ),
  'excess re-executions': () => found(evidenceOf([lostOnce(0), lostOnce(1), lostOnce(2)])),
  'unasked exits': () => found(evidenceOf([traces(0)], { lives: [life(WORKER), life(7, { endedAt: 5, end: 'itself', exit: '1' })] })),
};

describe('a counter', () => {
  it.each(Object.keys(CONDEMNED))('rises where there are %s, and no other does', (name) => {
    const others = name === 'accepted twice' ? { 'duplicate effects': 1 } : {};
    expect(CONDEMNED[name]?.()).toEqual({ [name]: 1, ...others });
  });

  it.each<[string, Partial<AttemptRow>]>([
    ['is recorded as failed and has returned', { outcome: 'failed', result: null }],
    ['is recorded as snoozed and did not ask for it', { outcome: 'snoozed', result: null }],
    ['has the result of another task', { result: '{"n":5}' }],
  ])('of contradictions rises for an attempt that %s', (_, to) => {
    const counts = forged((of) => {
      of.attempts = of.attempts.map((row) => ({ ...row, ...to }));
    });
    expect(counts['contradictions']).toBe(1);
  });

  it('of wrong ends rises for a cancelled task that went on', () => {
    const of = traces(0, 'cancelled');
    of.submission.cancel = 'ended';
    expect(forged(() => undefined, of)).toEqual({ 'wrong ends': 1 });
  });

  it('of attempts without a record rises for one that no record knows', () => {
    const counts = forged((of) => {
      of.lines.push(line(0, 2, 'start', 5_000), line(0, 2, 'end', 6_000));
    });
    expect(counts).toEqual({ 'unrecorded executions': 1 });
  });
});

describe('an overlap after a lost lease', () => {
  it('is a figure, and tells whether its process stood still', () => {
    const of = lostOnce(0);
    const still = life(OTHER, { frozen: [{ from: 1_600, to: 2_700 }] });
    of.lines.push(line(0, 1, 'throw', 2_750, { pid: OTHER }));
    const judgement = judge(evidenceOf([of], { lives: [life(WORKER), still] }));
    expect(judgement.figures).toMatchObject({ overlaps: 1, overlapsFrozen: 1 });
    expect(violations(judgement)).toBe(0);
  });
});

describe('a process that ends before it is ready', () => {
  const child = life(7, { readyAt: null, bornAt: 1_000, endedAt: 2_000, end: 'itself', exit: '1' });
  const away: FaultRecord = {
    ...KILL,
    name: 'database killed',
    fault: { kind: 'database killed', ms: 1 },
    at: 1_500,
    healedAt: 3_000,
    pid: null,
  };

  it('is a figure while the database is away', () => {
    const judgement = judge(evidenceOf([traces(0)], { lives: [life(WORKER), child], faults: [away] }));
    expect(judgement.figures.failedStarts).toBe(1);
    expect(violations(judgement)).toBe(0);
  });

  it('is an unasked exit at any other time', () => {
    expect(found(evidenceOf([traces(0)], { lives: [life(WORKER), child] }))).toEqual({ 'unasked exits': 1 });
  });
});

describe('poison', () => {
  it('is no false positive after as many deaths as it takes', () => {
    const of = lostOnce(0);
    change(of, { state: 'failed', reason: 'poison', attempt: 3, crashes: 3 });
    of.attempts = [1, 2, 3].map((number) => attempt(0, number, 'lost'));
    const deaths = [1, 2, 3].map((number) => life(number, { bornAt: number * 10, endedAt: number * 10 + 9, end: 'killed' }));
    of.lines = [1, 2, 3].map((number) => line(0, number, 'start', number * 10 + 5, { pid: number }));
    const judgement = judge(evidenceOf([of], { lives: deaths, concurrency: 3 }));
    expect(judgement.figures.poisoned).toBe(1);
    expect(violations(judgement)).toBe(0);
  });
});
