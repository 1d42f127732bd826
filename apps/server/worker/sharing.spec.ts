/** The shares of tenants that use several queues: a tenant gets what its weight says, whatever the number of its queues. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Backlog } from '@app/tasks';
import { FixedLimits } from '../../../test/support/fixed-limits.js';
import { Sharing, type AtDoor } from './sharing.js';

const EVER = Number.MAX_SAFE_INTEGER;
const open = (): boolean => false;

/** Of each tenant its weight and the number of its queues. */
const tenants = fc.array(fc.record({ weight: fc.integer({ min: 1, max: 20 }), queues: fc.integer({ min: 1, max: 12 }) }), {
  minLength: 2,
  maxLength: 8,
});
/** How many slots come free at a time. */
const steps = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 20 });

type Tenants = readonly { weight: number; queues: number }[];

const sharingOf = (all: Tenants): Sharing => {
  const limits = new FixedLimits();
  for (const [index, { weight }] of all.entries()) limits.set(`tenant-${index}`, { weight });
  return new Sharing(limits);
};

const placesOf = (all: Tenants): Backlog[] =>
  all.flatMap(({ queues }, index) =>
    Array.from({ length: queues }, (_, queue) => ({ tenant: `tenant-${index}`, queue: `queue-${queue}`, lane: 'normal' as const })),
  );

/** How often each place was served, by index, where all want more than there is. */
function serve(places: readonly Backlog[], sizes: readonly number[], turns: number, deal: (slots: number) => (place: Backlog) => number) {
  const served = places.map(() => 0);
  let total = 0;
  for (let step = 0; total < turns; step += 1) {
    const mayTake = deal(sizes[step % sizes.length] ?? 1);
    for (const [index, place] of places.entries()) {
      const share = mayTake(place);
      served[index] = (served[index] ?? 0) + share;
      total += share;
    }
  }
  return { served, total };
}

function expectFair(all: Tenants, places: readonly Backlog[], { served, total }: ReturnType<typeof serve>): void {
  const weights = all.reduce((sum, { weight }) => sum + weight, 0);
  for (const [index, { weight }] of all.entries()) {
    const counts = served.filter((_, at) => places[at]?.tenant === `tenant-${index}`);
    const got = counts.reduce((sum, count) => sum + count, 0);
    // Never off by more than the rounding of a turn per tenant.
    expect(Math.abs(got - (total * weight) / weights)).toBeLessThanOrEqual(all.length + 1);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  }
}

describe('the shares of tenants that all have more than can be run, in any number of queues', () => {
  it('follow the weights of the tenants in the database, and are the same for the queues of each', () => {
    fc.assert(
      fc.property(tenants, steps, (all, sizes) => {
        const sharing = sharingOf(all);
        const places = placesOf(all);
        expectFair(
          all,
          places,
          serve(places, sizes, 600, (slots) => sharing.dealBacklog('normal', places, slots)),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('follow the weights of the tenants at the door, and are the same for the queues of each', () => {
    fc.assert(
      fc.property(tenants, steps, (all, sizes) => {
        const sharing = sharingOf(all);
        const places = placesOf(all);
        const door = places.map((place): AtDoor => ({ ...place, tasks: EVER }));
        expectFair(
          all,
          places,
          serve(places, sizes, 600, (slots) => sharing.dealDoor('normal', door, slots, open).mayTake),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('follow them also where each tenant has one queue at the door and the others in the database', () => {
    fc.assert(
      fc.property(tenants, steps, (all, sizes) => {
        const sharing = sharingOf(all);
        const places = placesOf(all);
        const atDoor = places.filter(({ queue }) => queue === 'queue-0');
        const inDatabase = places.filter(({ queue }) => queue !== 'queue-0');
        sharing.seen(inDatabase);
        const door = atDoor.map((place): AtDoor => ({ ...place, tasks: EVER }));
        const result = serve(places, sizes, 600, (slots) => {
          const { mayTake, left } = sharing.dealDoor('normal', door, slots, open);
          const drawn = sharing.dealBacklog('normal', inDatabase, left);
          return (place) => (atDoor.includes(place) ? mayTake(place) : drawn(place));
        });
        // The drawer deals only between those that have something in the database, so all must have for the weights to be kept.
        const isSplit = all.every(({ queues }) => queues > 1);
        const weights = all.reduce((sum, { weight }) => sum + weight, 0);
        for (const [index, { weight, queues }] of all.entries()) {
          const counts = result.served.filter((_, at) => places[at]?.tenant === `tenant-${index}`);
          const got = counts.reduce((sum, count) => sum + count, 0);
          if (got >= 3 * queues) expect(Math.min(...counts)).toBeGreaterThan(0);
          // What falls to the database is served a little later than it was due, which may cost a part of a turn each time.
          const off = Math.abs(got - (result.total * weight) / weights);
          if (isSplit) expect(off).toBeLessThanOrEqual(all.length + 1 + result.total / 10);
        }
      }),
      { numRuns: 60 },
    );
  });
});
