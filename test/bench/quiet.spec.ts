import { describe, expect, it } from '@jest/globals';
import { isQuiet, writtenBytes } from './quiet.js';

const DISKS = ` 254       0 vda 9000 10 700000 50 20000 30 1600000 90 0 40 140 0 0 0 0 5 6
 254       1 vda1 8000 10 600000 50 20000 30 1599000 90 0 40 140 0 0 0 0 5 6
   7       0 loop0 10 0 20 0 0 0 0 0 0 0 0 0 0 0 0 0 0
`;

describe('the quiet before a latency is measured', () => {
  it('counts what the busiest disk has written', () => {
    expect(writtenBytes(DISKS)).toBe(1_600_000 * 512);
    expect(writtenBytes('')).toBe(0);
  });

  it.each([
    ['nothing is done', { busyMs: 0, writtenBytes: 0 }, true],
    ['only loops turn', { busyMs: 149, writtenBytes: 262_143 }, true],
    ['a processor works', { busyMs: 150, writtenBytes: 0 }, false],
    ['pages are written', { busyMs: 0, writtenBytes: 262_144 }, false],
  ])('is there where %s: %j', (_what, done, expected) => {
    const before = { busyMs: 1_000_000, writtenBytes: 5_000_000 };
    const after = { busyMs: before.busyMs + done.busyMs, writtenBytes: before.writtenBytes + done.writtenBytes };
    expect(isQuiet(before, after)).toBe(expected);
  });
});
