import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Clock } from '@app/lifecycle';
import { idBytes, idFloor, idText, NOBODY, RowIds } from './row-id.js';

class SetClock extends Clock {
  constructor(public ms: number) {
    super();
  }

  now(): number {
    return this.ms;
  }

  monotonic(): number {
    return 0;
  }
}

const MS = Date.UTC(2030, 1, 2, 3, 4, 5, 678);
const timeOf = (id: Buffer): number => id.readUIntBE(0, 6);

describe('task ids', () => {
  it('are UUIDv7: the time, the version and the variant stand where RFC 9562 wants them', () => {
    const ids = new RowIds(new SetClock(MS));
    for (let count = 0; count < 1_000; count += 1) {
      const id = ids.next();
      expect(id).toHaveLength(16);
      expect(timeOf(id)).toBe(MS);
      expect(id[6]! >> 4).toBe(7);
      expect(id[8]! >> 6).toBe(0b10);
    }
  });

  it('grow strictly while the clock stands still, also past what one millisecond can number', () => {
    const ids = new RowIds(new SetClock(MS));
    let last = ids.next();
    for (let count = 0; count < 10_000; count += 1) {
      const id = ids.next();
      expect(Buffer.compare(last, id)).toBe(-1);
      last = id;
    }
    // 4,096 per millisecond: the time part runs ahead instead of the counter starting over.
    expect(timeOf(last)).toBe(MS + Math.floor(10_000 / 4_096));
  });

  it('grow strictly whatever the clock does', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -5_000, max: 5_000 }), { maxLength: 200 }), (steps) => {
        const clock = new SetClock(MS);
        const ids = new RowIds(clock);
        let last = ids.next();
        for (const step of steps) {
          clock.ms += step;
          const id = ids.next();
          expect(Buffer.compare(last, id)).toBe(-1);
          last = id;
        }
      }),
      { numRuns: 100 },
    );
  });

  it('follow the clock when it goes on', () => {
    const clock = new SetClock(MS);
    const ids = new RowIds(clock);
    ids.next();
    clock.ms = MS + 77;
    expect(timeOf(ids.next())).toBe(MS + 77);
  });

  it('differ between two makers at the same instant', () => {
    const [one, other] = [new RowIds(new SetClock(MS)), new RowIds(new SetClock(MS))];
    const made = Array.from({ length: 2_000 }, () => [one.next(), other.next()])
      .flat()
      .map(idText);
    expect(new Set(made).size).toBe(made.length);
  });

  it('do not hand out memory that a later id would overwrite', () => {
    const ids = new RowIds(new SetClock(MS));
    const first = ids.next();
    const text = idText(first);
    for (let count = 0; count < 2_000; count += 1) ids.next();
    expect(idText(first)).toBe(text);
  });
});

describe('an id as text', () => {
  it('comes back as the same bytes, in either case', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        const id = Buffer.from(bytes);
        expect(idText(id)).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
        expect(idBytes(idText(id))).toEqual(id);
        expect(idBytes(idText(id).toUpperCase())).toEqual(id);
      }),
    );
  });

  it('sorts as its bytes do', () => {
    const ids = new RowIds(new SetClock(MS));
    const made = Array.from({ length: 50 }, () => ids.next());
    expect(made.map(idText).sort()).toEqual(made.map(idText));
  });

  it.each([
    '',
    'x',
    '0198e0c8-0000-7000-8000-00000000000',
    '0198e0c8-0000-7000-8000-0000000000000',
    '0198e0c800007000800000000000000000000',
    '0198e0c8-0000-7000-8000-00000000000g',
    ' 0198e0c8-0000-7000-8000-000000000000',
    '0198e0c8-0000-7000-8000-000000000000\n',
    "' OR 1=1 --",
  ])('is refused as %j', (text) => {
    expect(idBytes(text)).toBeNull();
  });
});

describe('the floor of an instant', () => {
  it('is not above any id of it and above every id before it', () => {
    const earlier = new RowIds(new SetClock(MS - 1)).next();
    const id = new RowIds(new SetClock(MS)).next();
    expect(Buffer.compare(idFloor(MS), id)).toBe(-1);
    expect(Buffer.compare(idFloor(MS), earlier)).toBe(1);
  });

  it('takes fractions and instants before the epoch', () => {
    expect(idFloor(MS + 0.9)).toEqual(idFloor(MS));
    expect(idFloor(-1)).toEqual(NOBODY);
  });
});
