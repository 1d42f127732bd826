import { describe, expect, it } from '@jest/globals';
import { rowId } from './fill.js';
import { chart, niceCeiling } from './plot.js';

describe('a chart', () => {
  const svg = chart({
    title: 'a < b',
    x: 'rows',
    y: 'ms',
    lines: [
      {
        name: 'claim & settle',
        points: [
          [1, 0],
          [10, 5],
          [100, 10],
        ],
      },
    ],
  });

  it('puts powers of ten at equal distances, 0 at the bottom and the highest at the top', () => {
    expect(svg).toContain('d="M64 280L344 160L624 40"');
  });

  it('names axes and lines, and breaks no mark-up', () => {
    expect(svg).toContain('>a &lt; b</text>');
    expect(svg).toContain('>claim &amp; settle</text>');
    expect(svg.match(/<(?=[a-z])/g)?.length).toBe((svg.match(/\/>/g)?.length ?? 0) + (svg.match(/<\/[a-z]+>/g)?.length ?? 0));
  });

  it('of a single point is drawn too', () => {
    expect(chart({ title: '', x: '', y: '', lines: [{ name: 'one', points: [[5, 1]] }] })).toContain('cx="344" cy="40"');
  });
});

describe('the top of an axis', () => {
  it.each([
    [0.3, 0.5],
    [1, 1],
    [21, 25],
    [0, 1],
    [99, 100],
    [Number.NaN, 1],
  ])('above %d is %d', (value, top) => expect(niceCeiling(value)).toBeCloseTo(top, 9));
});

describe('an id of a copy', () => {
  it('is a UUIDv7 in the order of time', () => {
    const ids = [1, 2, 1_800_000_000_000].map((at) => rowId(at));
    expect(ids.map((id) => [id.length, id[6]! >> 4, id[8]! >> 6])).toEqual([
      [16, 7, 2],
      [16, 7, 2],
      [16, 7, 2],
    ]);
    expect(ids.map((id) => id.readUIntBE(0, 6))).toEqual([1, 2, 1_800_000_000_000]);
  });
});
