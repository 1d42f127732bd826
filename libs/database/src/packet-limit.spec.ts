import { describe, expect, it } from '@jest/globals';
import { InvalidConfiguration } from '@app/errors';
import { assertPacketFits, packetBytesNeeded } from './packet-limit.js';

const MIB = 1_048_576;

describe('what a server has to take at once', () => {
  it('is the largest group, or the largest value with every character escaped', () => {
    expect([packetBytesNeeded(0), packetBytesNeeded(4 * MIB), packetBytesNeeded(17 * MIB)].map((bytes) => bytes / MIB)).toEqual([
      12.0625, 12.0625, 34.0625,
    ]);
  });

  it.each([
    [16 * MIB, 4 * MIB, true],
    [64 * MIB, 4 * MIB, true],
    [4 * MIB, 1_024, false],
    [16 * MIB, 17 * MIB, false],
    [Number.NaN, 1_024, false],
  ])('%d with values of %d: %s', (packet, value, fits) => {
    const check = (): void => {
      assertPacketFits(packet, packetBytesNeeded(value));
    };
    if (fits) expect(check).not.toThrow();
    else expect(check).toThrow(InvalidConfiguration);
  });
});
