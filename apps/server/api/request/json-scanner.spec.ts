import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { TaskRunnerError } from '@app/errors';
import { KEY_MAX_LENGTH, scanJson } from './json-scanner.js';
import { parseStrictJson } from './strict-json.js';

const LIMITS = { maxDepth: 33, maxKeys: 50_000, maxValues: 1_000_000 };
const scan = (text: string) => scanJson(text, LIMITS);

describe('scanJson', () => {
  it.each([
    ['{"a":1,"a":2}', 'duplicate-key'],
    ['{"a":1,"\\u0061":2}', 'duplicate-key'],
    ['{"x":{"b":[],"b":1}}', 'duplicate-key'],
    ['[{"a":1},{"a":1}]', null],
    ['{"a":{"a":{"a":1}}}', null],
    ['{"a":"a","b":"a"}', null],
    ['{"__proto__":1}', 'forbidden-key'],
    ['{"a":{"\\u005f_proto__":1}}', 'forbidden-key'],
    ['{"a":"__proto__"}', null],
    ['{"constructor":{"prototype":{}}}', null],
    ['"\\ud800"', 'invalid-unicode'],
    ['{"\\udc00":1}', 'invalid-unicode'],
    ['["\\ud83d\\ude00"]', null],
    ['["\\ude00\\ud83d"]', 'invalid-unicode'],
    ['1e400', 'number-not-representable'],
    ['[-1e400]', 'number-not-representable'],
    ['1e-400', 'number-not-representable'],
    ['0e99999', null],
    ['9007199254740993', 'number-not-representable'],
    ['9007199254740992', null],
    ['123456789012345680000', null],
    ['0.1234567890123456789', null],
    ['"1e400"', null],
  ])('%s: %s', (text, finding) => expect(scan(text)).toBe(finding));

  it('counts depth exactly and bounds keys', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect(scan(nested(33))).toBeNull();
    expect(scan(nested(34))).toBe('payload-too-deep');
    expect(scan('['.repeat(1_000_000))).toBe('payload-too-deep');
    expect(scan(`{"${'k'.repeat(KEY_MAX_LENGTH)}":1}`)).toBeNull();
    expect(scan(`{"${'k'.repeat(KEY_MAX_LENGTH + 1)}":1}`)).toBe('key-too-long');
  });

  it('finds nothing in what JSON.stringify writes', () => {
    const value = fc.jsonValue({ maxDepth: 8, noUnicodeString: false });
    fc.assert(
      fc.property(value, fc.nat(4), (input, indent) => {
        const text = JSON.stringify(input, null, indent);
        fc.pre(!text.includes('__proto__') && !/\p{Surrogate}/u.test(text) && !/\\ud[89a-f]/i.test(text));
        expect(scan(text)).toBeNull();
        expect(parseStrictJson(Buffer.from(text), LIMITS)).toEqual(JSON.parse(text));
      }),
      { numRuns: 500 },
    );
  });

  it('finds a repeated key wherever it is', () => {
    const key = fc.string({ unit: 'grapheme', maxLength: 8 }).filter((text) => text !== '__proto__' && !/\p{Surrogate}/u.test(text));
    fc.assert(
      fc.property(key, fc.array(key, { maxLength: 4 }), fc.integer({ min: 0, max: 5 }), (name, others, depth) => {
        const members = [name, ...new Set(others.filter((other) => other !== name)), name].map((each) => `${JSON.stringify(each)}:0`);
        const text = '{"x":['.repeat(depth) + `{${members.join(',')}}` + ']}'.repeat(depth);
        expect(scan(text)).toBe('duplicate-key');
      }),
      { numRuns: 300 },
    );
  });
});

describe('parseStrictJson', () => {
  /** Texts near JSON: pieces that are legal somewhere, in any order. */
  const pieces = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"a"',
    '"a',
    '"',
    '\\',
    '"\\u0061"',
    '"\\ud800"',
    '1',
    '-',
    '1e9',
    '1e999',
    '.5',
    '01',
    'true',
    'nul',
    ' ',
    '\n',
    '\u0000',
    '/*',
    "'a'",
    '"__proto__"',
    'é',
    '\ufeff',
  );

  it('accepts only what JSON.parse accepts, with the same value', () => {
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 14 }), (parts) => {
        const text = parts.join('');
        let strict: unknown;
        try {
          strict = parseStrictJson(Buffer.from(text), LIMITS);
        } catch (error) {
          expect(error).toBeInstanceOf(TaskRunnerError);
          return;
        }
        expect(strict).toEqual(JSON.parse(text));
      }),
      { numRuns: 3_000 },
    );
  });

  it('refuses any bytes without failing otherwise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          parseStrictJson(Buffer.from(bytes), LIMITS);
        } catch (error) {
          expect(error).toBeInstanceOf(TaskRunnerError);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('how much there may be', () => {
  const tight = { maxDepth: 9, maxKeys: 3, maxValues: 8 };

  it.each<[string, string, string | null]>([
    ['three keys', '{"a":1,"b":2,"c":3}', null],
    ['four keys', '{"a":1,"b":2,"c":3,"d":4}', 'too-many-keys'],
    ['three keys here and three there', '{"a":{"a":1,"b":2,"c":3},"b":2,"c":3}', null],
    ['seven empty lists', '[[],[],[],[],[]]', 'too-many-values'],
    ['a few values', '[1,"a,b",{"a":2},null]', null],
    ['many small values', '[1,1,1,1,1,1,1,1]', 'too-many-values'],
    ['commas in a text', '"a,b,c,d,e,f,g,h,i,j,k,l"', null],
  ])('%s', (_, text, finding) => expect(scanJson(text, tight)).toBe(finding));
});
