import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { formatInstant, parseInstant } from './instant.js';

describe('parseInstant', () => {
  it.each([
    ['2026-01-31T08:00:00Z', '2026-01-31T08:00:00.000Z'],
    ['2026-01-31T08:00:00.5Z', '2026-01-31T08:00:00.500Z'],
    ['2026-01-31T08:00:00.123999Z', '2026-01-31T08:00:00.123Z'],
    ['2026-01-31T08:00:00+05:45', '2026-01-31T02:15:00.000Z'],
    ['2026-01-31T23:30:00-03:30', '2026-02-01T03:00:00.000Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
  ])('%s', (text, expected) => expect(formatInstant(parseInstant(text) ?? Number.NaN)).toBe(expected));

  it.each([
    '2026-02-30T00:00:00Z',
    '2023-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-10T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-12-31T23:59:60Z',
    '2026-01-01T00:60:00Z',
    '2026-01-01T00:00:00',
    '2026-01-01',
    '2026-01-01 00:00:00Z',
    '2026-01-01T00:00Z',
    '2026-01-01T00:00:00z',
    '2026-01-01T00:00:00+15:00',
    '2026-01-01T00:00:00+05:60',
    '2026-01-01T00:00:00+0545',
    '+002026-01-01T00:00:00Z',
    '1999-12-31T23:59:59Z',
    '2100-01-01T00:00:00Z',
    '0001-01-01T00:00:00Z',
    'tomorrow',
    '',
    ' 2026-01-01T00:00:00Z',
    '２026-01-01T00:00:00Z',
    1_767_225_600_000,
    null,
    undefined,
    {},
    ['2026-01-01T00:00:00Z'],
  ])('refuses %j', (value) => expect(parseInstant(value)).toBeNull());

  it('reads back what it writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2100, 0, 1) - 1 }), (ms) => parseInstant(formatInstant(ms)) === ms),
    );
  });
});
