/** The scheduler that deals out slots: shares follow the weights, and whoever waits is served within a bound. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { FairShares, type Wanting } from './fair-shares.js';

const EVER = Number.MAX_SAFE_INTEGER;

const weights = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 2, maxLength: 12 });
const flowsOf = (all: readonly number[]): Wanting[] => all.map((weight, index) => ({ flow: `tenant-${index}`, weight, most: EVER }));
/** How many slots come free at a time. */
const steps = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 20 });

/** Who was served, in order, where all want more than there is, `slots` at a time. */
function serve(shares: FairShares, flows: readonly Wanting[], sizes: readonly number[], turns: number): string[] {
  const served: string[] = [];
  for (let step = 0; served.length < turns; step += 1) {
    for (const [flow, count] of shares.deal(flows, sizes[step % sizes.length] ?? 1)) served.push(...Array<string>(count).fill(flow));
  }
  return served;
}

describe('the shares of tenants that all have more than can be run', () => {
  it('follow their weights, however many slots come free at a time', () => {
    fc.assert(
      fc.property(weights, steps, (all, sizes) => {
        const flows = flowsOf(all);
        const total = all.reduce((sum, weight) => sum + weight, 0);
        const served = serve(new FairShares(), flows, sizes, total * 5);
        for (const { flow, weight } of flows) {
          const got = served.filter((other) => other === flow).length;
          const due = (served.length * weight) / total;
          // Never off by more than the rounding of a turn per tenant, however long it goes on.
          expect(Math.abs(got - due)).toBeLessThanOrEqual(flows.length + 1);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('leave nobody waiting for more than the turns that the others’ weights give them', () => {
    fc.assert(
      fc.property(weights, (all) => {
        const flows = flowsOf(all);
        const total = all.reduce((sum, weight) => sum + weight, 0);
        const served = serve(new FairShares(), flows, [1], total * 3);
        for (const { flow, weight } of flows) {
          const bound = flows.reduce((sum, other) => sum + (other.flow === flow ? 0 : Math.ceil(other.weight / weight) + 1), 0);
          let since = 0;
          let longest = 0;
          for (const other of served) {
            since = other === flow ? 0 : since + 1;
            longest = Math.max(longest, since);
          }
          expect(longest).toBeLessThanOrEqual(bound);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('begin at once for one that comes back, whatever was served meanwhile and by whichever way', () => {
    fc.assert(
      fc.property(weights, fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: 0, max: 5_000 }), (all, dealt, charged) => {
        const [late, ...busy] = flowsOf(all);
        const shares = new FairShares();
        if (late === undefined) return;
        if (dealt > 0) shares.deal(busy, dealt);
        for (const { flow, weight } of busy) shares.charge(flow, weight, charged);
        const served = serve(shares, [late, ...busy], [1], 2 * busy.length + 2);
        expect(served.indexOf(late.flow)).toBeGreaterThanOrEqual(0);
        expect(served.indexOf(late.flow)).toBeLessThanOrEqual(busy.length);
      }),
      { numRuns: 60 },
    );
  });

  it('do not keep back one that was served alone for long when others come', () => {
    const shares = new FairShares();
    shares.charge('early', 1, 1_000_000);
    const served = serve(
      shares,
      [
        { flow: 'late', weight: 1, most: EVER },
        { flow: 'early', weight: 1, most: EVER },
      ],
      [1],
      20,
    );
    expect(served.filter((flow) => flow === 'early').length).toBeGreaterThanOrEqual(9);
  });
});

describe('dealing', () => {
  it('gives what one leaves to the others, and leaves a slot over only where nobody wants it', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 100 }), fc.nat(20)), { maxLength: 10 }), fc.nat(60), (all, slots) => {
        const wanting = all.map(([weight, most], index): Wanting => ({ flow: `tenant-${index}`, weight, most }));
        const dealt = new FairShares().deal(wanting, slots);
        const wanted = wanting.reduce((sum, { most }) => sum + most, 0);
        expect([...dealt.values()].reduce((sum, count) => sum + count, 0)).toBe(Math.min(slots, wanted));
        for (const { flow, most } of wanting) expect(dealt.get(flow) ?? 0).toBeLessThanOrEqual(most);
      }),
    );
  });

  it('leaves a turn to who could not use it', () => {
    const light: Wanting = { flow: 'light', weight: 1, most: EVER };
    const heavy: Wanting = { flow: 'heavy', weight: 100, most: EVER };
    const shares = new FairShares();
    expect(shares.deal([light, heavy], 1)).toEqual(new Map([['light', 1]]));
    shares.refund('light', 1, 1);
    expect(shares.deal([light, heavy], 1)).toEqual(new Map([['light', 1]]));
    expect(shares.deal([light, heavy], 50)).toEqual(new Map([['heavy', 50]]));
  });

  it('remembers no more flows than it may', () => {
    const shares = new FairShares(10);
    for (let number = 0; number < 1_000; number += 1) shares.charge(`tenant-${number}`, 1, 1);
    expect(
      Object.values(shares)
        .filter((value) => value instanceof Map)
        .map((map) => (map as Map<string, number>).size <= 10),
    ).toEqual([true]);
  });
});
