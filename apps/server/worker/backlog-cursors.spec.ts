import { describe, expect, it } from '@jest/globals';
import { BacklogCursors } from './backlog-cursors.js';

const PLACE = { queue: 'default', lane: 'normal', tenant: 'acme' } as const;
const [FIRST, SECOND] = [Buffer.alloc(16, 1), Buffer.alloc(16, 2)];

describe('a cursor in the backlog', () => {
  let now = 0;
  const made = (): BacklogCursors => {
    now = 0;
    return new BacklogCursors({ monotonic: () => now });
  };

  it('is where the last claim has ended, each place by itself', () => {
    const cursors = made();
    expect(cursors.of(PLACE)).toBeNull();
    cursors.moved(PLACE, FIRST, now);
    expect(cursors.of(PLACE)).toBe(FIRST);
    for (const other of [{ queue: 'other' }, { lane: 'high' as const }, { tenant: 'other' }])
      expect(cursors.of({ ...PLACE, ...other })).toBeNull();
  });

  it('counts for a second from the front, however often it moves', () => {
    const cursors = made();
    cursors.moved(PLACE, FIRST, now);
    now = 900;
    cursors.of(PLACE);
    cursors.moved(PLACE, SECOND, now);
    now = 999;
    expect(cursors.of(PLACE)).toBe(SECOND);
    now = 1_000;
    expect(cursors.of(PLACE)).toBeNull();
    cursors.moved(PLACE, FIRST, now);
    now = 1_999;
    expect(cursors.of(PLACE)).toBe(FIRST);
  });

  it('is not made younger by a claim that took until after its end', () => {
    const cursors = made();
    cursors.moved(PLACE, FIRST, now);
    now = 999;
    cursors.of(PLACE);
    now = 1_500;
    cursors.moved(PLACE, SECOND, 999);
    expect(cursors.of(PLACE)).toBeNull();
  });

  it('is as old as the claim that made it, however long that took', () => {
    const cursors = made();
    now = 700;
    cursors.moved(PLACE, FIRST, 0);
    now = 1_000;
    expect(cursors.of(PLACE)).toBeNull();
  });

  it('goes back to the front, and says whether it was elsewhere', () => {
    const cursors = made();
    expect(cursors.reset(PLACE)).toBe(false);
    cursors.moved(PLACE, FIRST, now);
    expect(cursors.reset(PLACE)).toBe(true);
    expect(cursors.of(PLACE)).toBeNull();
  });

  it('is forgotten where there are more places than are kept', () => {
    const cursors = made();
    for (let queue = 0; queue < 1_000; queue += 1) cursors.moved({ ...PLACE, queue: `queue-${queue}` }, FIRST, now);
    cursors.moved({ ...PLACE, queue: 'queue-0' }, SECOND, now);
    expect(cursors.of({ ...PLACE, queue: 'queue-0' })).toBe(SECOND);
    cursors.moved(PLACE, FIRST, now);
    expect(cursors.of({ ...PLACE, queue: 'queue-0' })).toBeNull();
    expect(cursors.of(PLACE)).toBe(FIRST);
  });
});
