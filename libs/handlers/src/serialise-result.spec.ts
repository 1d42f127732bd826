import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { serialiseResult } from './serialise-result.js';

const cyclic: Record<string, unknown> = {};
cyclic['self'] = cyclic;
const deep: unknown[] = [];
for (let level = 0, inner = deep; level < 100_000; level += 1) {
  const next: unknown[] = [];
  inner.push(next);
  inner = next;
}

describe('serialiseResult', () => {
  it.each<[unknown, string]>([
    [undefined, 'null'],
    [null, 'null'],
    ['x', '"x"'],
    [Number.NaN, 'null'],
    [{ a: undefined, b: 1 }, '{"b":1}'],
    [new Date(0), '"1970-01-01T00:00:00.000Z"'],
    [{ toJSON: () => undefined }, 'null'],
    ['\ud800', '"\\ud800"'],
  ])('writes %p', (value, json) => {
    expect(serialiseResult(value, 100)).toEqual({ ok: true, json });
  });

  it.each<[string, unknown]>([
    ['a BigInt', { n: 1n }],
    ['a cycle', cyclic],
    [
      'a toJSON that throws',
      {
        toJSON: () => {
          throw new Error('no\nway');
        },
      },
    ],
    [
      'a getter that throws undefined',
      Object.defineProperty({}, 'x', {
        enumerable: true,
        get: () => {
          throw undefined;
        },
      }),
    ],
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['a value too deep to walk', deep],
  ])('refuses %s with a printable reason', (_, value) => {
    const result = serialiseResult(value, 1_000_000);
    expect(result).toMatchObject({ ok: false, code: 'result-not-serialisable' });
    expect(result.ok ? '' : result.message).toMatch(/^The result cannot be written as JSON: \P{Cc}+$/u);
  });

  it('counts bytes, not characters', () => {
    expect(serialiseResult('é'.repeat(4), 10)).toEqual({ ok: true, json: '"éééé"' });
    const refused = serialiseResult('é'.repeat(4), 9);
    expect(refused).toMatchObject({ ok: false, code: 'result-too-large' });
    expect(refused.ok ? '' : refused.message).toContain('10 bytes as JSON; at most 9');
  });

  it('keeps any JSON value as it is', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(serialiseResult(value, 1_000_000)).toEqual({ ok: true, json: JSON.stringify(value) });
      }),
    );
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withMap: true, withTypedArray: true }), (value) => {
        const result = serialiseResult(value, 256);
        expect(result.ok ? Buffer.byteLength(result.json) <= 256 : result.message !== '').toBe(true);
      }),
    );
  });
});
