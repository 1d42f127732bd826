import { describe, expect, it } from '@jest/globals';
import { findings, judgeCosts, RECORDED, type Costs } from './smoke.js';

const recorded = RECORDED.bulk;
const verdicts = (costs: Partial<Costs>) =>
  judgeCosts('bulk', { ...recorded, ...costs }).flatMap(({ what, isWithin }) => (isWithin ? [] : [what]));

describe('the smoke test', () => {
  it('lets pass what was recorded, and somewhat more', () => {
    expect(verdicts({})).toEqual([]);
    expect(verdicts({ statements: recorded.statements * 2.9, cpu: recorded.cpu * 2.9 })).toEqual([]);
  });

  it('finds what costs three times as much', () => {
    expect(verdicts({ statements: recorded.statements * 3.1 })).toEqual(['statements']);
    expect(verdicts({ roundTrips: recorded.roundTrips * 3.1, cpu: recorded.cpu * 3.1 })).toEqual(['roundTrips', 'cpu']);
  });

  it('finds a statement, a commit and a round trip of its own for every task', () => {
    expect(verdicts({ statements: recorded.statements + 1, commits: 1, roundTrips: 1 })).toEqual(['roundTrips', 'statements', 'commits']);
    const single = judgeCosts('single', { ...RECORDED.single, statements: RECORDED.single.statements + 1 });
    expect(single.filter(({ isWithin }) => !isWithin).map(({ what }) => what)).toEqual(['statements']);
  });

  it('does not pass what could not be counted', () => {
    expect(verdicts({ commits: Number.NaN, roundTrips: 0 })).toEqual(['roundTrips', 'commits']);
  });

  it('says what was too much', () => {
    expect(findings(judgeCosts('bulk', { ...recorded, commits: 1 }))).toContain('| bulk | commits | 1 | 0.06 | **too much** |');
  });
});
