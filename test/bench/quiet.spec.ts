import { describe, expect, it } from '@jest/globals';
import { isQuiet, writtenBytes } from './quiet.js';

const DISKS = ` 254       0 vda 9000 10 700000 50 20000 30 1600000 90 0 40 140 0 0 0 0 5 6
 254       1 vda1 8000 10 600000 50 20000 30 1599000 90 0 40 140 0 0 0 0 5 6
   7       0 loop0 10 0 20 0 0 0 0 0 0 0 0 0 0 0 0 0 0
`;

describe('the quiet before a latency is measured', () => {
  it('counts what each disk has written', () => {
    expect([...writtenBytes(DISKS)]).toEqual([
      ['vda', 1_600_000 * 512],
      ['vda1', 1_599_000 * 512],
      ['loop0', 0],
    ]);
    expect(writtenBytes('').size).toBe(0);
  });

  it.each([
    ['nothing is done', { busyMs: 0, used: 0, other: 0 }, true],
    ['only loops turn', { busyMs: 149, used: 262_143, other: 262_143 }, true],
    ['a processor works', { busyMs: 150, used: 0, other: 0 }, false],
    ['pages are written', { busyMs: 0, used: 262_144, other: 0 }, false],
    ['pages are written to a disk that was little used', { busyMs: 0, used: 0, other: 262_144 }, false],
  ])('is there where %s: %j', (_what, done, expected) => {
    const reading = (busyMs: number, used: number, other: number) => ({
      busyMs: 1_000_000 + busyMs,
      writtenBytes: new Map([
        ['used', 5_000_000_000 + used],
        ['other', other],
      ]),
    });
    expect(isQuiet(reading(0, 0, 0), reading(done.busyMs, done.used, done.other))).toBe(expected);
  });
});
