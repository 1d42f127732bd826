import { describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { InvalidSchema, PayloadSchema } from './payload-schema.js';

const codes = (schema: object, payload: unknown): string[] =>
  PayloadSchema.of(schema)
    .problems(payload)
    .map(({ path, code }) => `/${path.join('/')} ${code}`);

function refusal(schema: object): string {
  try {
    PayloadSchema.of(schema);
  } catch (error) {
    if (error instanceof InvalidSchema) return error.message;
    throw error;
  }
  return '';
}

describe('a payload schema', () => {
  const order = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    required: ['customer', 'lines'],
    additionalProperties: false,
    properties: {
      customer: { $ref: '#/$defs/id' },
      note: { type: 'string', maxLength: 5, pattern: '^([a-z0-9]+[-_]?)+$' },
      day: { format: 'date' },
      lines: { type: 'array', minItems: 1, maxItems: 3, uniqueItems: true, items: { $ref: '#/$defs/line' } },
      a: true,
      b: false,
    },
    dependentRequired: { day: ['note'] },
    $defs: {
      id: { type: 'string', format: 'uuid' },
      line: {
        type: 'object',
        required: ['sku'],
        properties: { count: { type: 'integer', minimum: 1, exclusiveMaximum: 10, multipleOf: 2 } },
      },
    },
  };
  const customer = '0190a8f0-0000-7000-8000-000000000000';

  it.each<[string, unknown, string[]]>([
    ['what fits', { customer, lines: [{ sku: 1 }], a: 1 }, []],
    ['another type', 5, ['/ type']],
    ['nothing', null, ['/ type']],
    ['what is missing', {}, ['/customer required', '/lines required']],
    ['what nobody knows', { customer, lines: [{ sku: 1 }], toString: 1 }, ['/toString additional-properties']],
    ['what must not be', { customer, lines: [{ sku: 1 }], b: 1 }, ['/b false-schema']],
    ['a bad id and a bad note', { customer: 'x', lines: [{ sku: 1 }], note: 'A' }, ['/customer format', '/note pattern']],
    ['characters, not units', { customer, lines: [{ sku: 1 }], note: '😀😀😀😀😀😀' }, ['/note max-length', '/note pattern']],
    ['what another needs', { customer, lines: [{ sku: 1 }], day: '2026-02-28' }, ['/note dependent-required']],
    ['30 February', { customer, lines: [{ sku: 1 }], note: 'a', day: '2026-02-30' }, ['/day format']],
    [
      'lines',
      { customer, lines: [{}, { sku: 1, count: 0.5 }] },
      ['/lines/0/sku required', '/lines/1/count type', '/lines/1/count multiple-of', '/lines/1/count minimum'],
    ],
    [
      'twins',
      {
        customer,
        lines: [
          { sku: 1, x: 2 },
          { x: 2, sku: 1 },
        ],
      },
      ['/lines unique-items'],
    ],
    ['too few', { customer, lines: [] }, ['/lines min-items']],
  ])('says of %s what is wrong', (_, payload, expected) => expect(codes(order, payload)).toEqual(expected));

  it('does not see inherited members', () => {
    const inherited = { type: 'object', required: ['toString', '__proto__'], properties: { constructor: { type: 'string' } } };
    expect(codes(inherited, {})).toEqual(['/toString required', '/__proto__ required']);
  });

  it('tells twenty problems at most, and none of the payload', () => {
    const problems = PayloadSchema.of({ items: { enum: ['x', { y: 1 }] } }).problems(Array.from({ length: 50 }, () => 'canary'));
    expect(problems).toHaveLength(20);
    expect(JSON.stringify(problems)).not.toContain('canary');
  });

  it('tells alternatives as one problem', () => {
    const schema = {
      anyOf: [{ type: 'string' }, { minimum: 5 }],
      not: { const: 7 },
      if: { minimum: 8 },
      then: { maximum: 9 },
      else: { maximum: 6 },
    };
    expect([codes(schema, 1), codes(schema, 7), codes(schema, 10), codes(schema, 6)]).toEqual([
      ['/ any-of'],
      ['/ not', '/ maximum'],
      ['/ maximum'],
      [],
    ]);
  });
});

describe('a schema that does not do', () => {
  it.each<[string, object, string]>([
    ['a remote reference', { $ref: 'https://example.com/schema.json' }, 'must be "#" or "#/$defs/NAME"'],
    ['a reference to a file', { properties: { a: { $ref: 'file:///etc/passwd' } } }, '/properties/a/$ref must be'],
    ['a reference to nothing', { $ref: '#/$defs/a' }, 'referred to and not there'],
    ['a base of its own', { $id: 'https://example.com/' }, '/$id is not a keyword'],
    ['a dynamic reference', { $dynamicRef: '#a' }, 'not a keyword'],
    ['$data', { maximum: { $data: '1/a' } }, '/maximum must be a number'],
    ['another draft', { $schema: 'http://json-schema.org/draft-07/schema#' }, '/$schema must be'],
    ['a misspelt keyword', { propertys: {} }, '/propertys is not a keyword'],
    ['a keyword that is left out here', { unevaluatedProperties: false }, 'not a keyword'],
    ['an unknown format', { format: 'iban' }, '/format must be one of date'],
    ['a pattern that looks ahead', { pattern: '^(?=a)' }, '/pattern is no regular expression that takes linear time'],
    ['a pattern that refers back', { pattern: '(a)\\1' }, 'linear time'],
    ['a pattern that is none', { patternProperties: { '[': true } }, 'linear time'],
    ['a pattern without end', { pattern: 'a{1000}b{1000}c{1000}d{1000}e{1000}' }, 'too large'],
    ['a long pattern', { pattern: 'a'.repeat(513) }, 'at most 512'],
    ['a regular expression object', { pattern: /a/ }, '/pattern must be a text'],
    ['a type that is none', { type: 'text' }, '/type must be'],
    ['an empty list', { anyOf: [] }, '/anyOf must be a list'],
    ['a schema that is none', { items: 5 }, '/items must be a schema'],
    ['definitions below the top', { properties: { a: { $defs: {} } } }, 'must stand at the top'],
    ['a hostile definition', { $defs: { a: { pattern: '(?!x)' } } }, '/$defs/a/pattern'],
    ['a negative length', { maxLength: -1 }, 'whole number'],
    ['names twice', { required: ['a', 'a'] }, 'distinct'],
    ['too many parts', { allOf: Array.from({ length: 1_001 }, () => ({})) }, 'at most 1000 parts'],
    ['too many levels', Array.from({ length: 40 }).reduce<object>((inner) => ({ not: inner }), {}), '32 levels'],
    ['too much text', { description: 'x'.repeat(70_000) }, 'at most 65536 characters'],
    ['more than JSON', { default: 5n }, 'must be JSON'],
  ])('%s', (_, schema, message) => expect(refusal(schema)).toContain(message));

  it('names its problems all at once', () => {
    expect(refusal({ type: 'x', properties: { a: { maximum: 'y' }, b: { pattern: '(?=a)' } } }).split('; ')).toHaveLength(3);
  });
});

describe('a check ends', () => {
  /** Every level refers twice to the next: two to the power of 40 paths through it. */
  const doubling = (keyword: string): object => {
    const $defs = Object.fromEntries(
      Array.from({ length: 40 }, (_, level) => [
        `d${level}`,
        level === 39 ? { minLength: 1 } : { [keyword]: [1, 2].map(() => ({ $ref: `#/$defs/d${level + 1}` })) },
      ]),
    );
    return { $ref: '#/$defs/d0', $defs };
  };

  it.each<[string, object, unknown]>([
    ['in twice-and-twice-again', doubling('allOf'), 'a'],
    ['in alternatives of alternatives', doubling('anyOf'), ''],
    ['in exactly-one of exactly-one', doubling('oneOf'), 'a'],
    ['in a circle', { allOf: [{ $ref: '#' }] }, 1],
    ['in a circle of two', { $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/b' }, b: { not: { $ref: '#/$defs/a' } } } }, 1],
    ['in many equal comparisons', { items: { enum: [1] } }, [Array.from({ length: 500_000 }, () => 1)]],
  ])('%s', (_, schema, payload) => {
    expect(codes(schema, payload)).toEqual(['/ too-complex']);
  });

  it('with a pattern that makes others explode, in no time that grows faster than the text', () => {
    const schema = { type: 'string', pattern: '^([a-z0-9]+[-_]?)+$' };
    expect(codes(schema, `${'a'.repeat(200_000)}!`)).toEqual(['/ pattern']);
    expect(codes(schema, 'a'.repeat(200_000))).toEqual([]);
  });

  it('that compares many items with each other', () => {
    const payload = Array.from({ length: 20_000 }, (_, index) => ({ index }));
    expect(codes({ uniqueItems: true }, payload)).toEqual([]);
    expect(codes({ uniqueItems: true }, [...payload, { index: 5 }])).toEqual(['/ unique-items']);
  });
});

describe('the verdict', () => {
  const small = fc.integer({ min: 0, max: 4 });
  const key = fc.constantFrom('a', 'b', 'c', 'ab');
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3, depthSize: 'small', withCrossShrink: true },
      fc.constantFrom<unknown>(null, true, false, 0, 1, 2, 3, 1.5, -1, '', 'a', 'ab', 'abc', 'é', '😀', 'b-c'),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(key, tie('value'), { maxKeys: 3, noNullPrototype: true }),
    ),
  }));
  const { schema } = fc.letrec<{ schema: object | boolean }>((tie) => {
    const below = tie('schema');
    const list = fc.array(below, { minLength: 1, maxLength: 2 });
    const members = fc.dictionary(key, below, { maxKeys: 2, noNullPrototype: true });
    const names = fc.uniqueArray(key, { maxLength: 2 });
    const type = fc.constantFrom('null', 'boolean', 'integer', 'number', 'string', 'array', 'object');
    const leaf = fc.record(
      {
        type: fc.oneof(type, fc.uniqueArray(type, { minLength: 1, maxLength: 3 })),
        enum: fc.uniqueArray(value, { minLength: 1, maxLength: 3, selector: (each) => JSON.stringify(each) }),
        ...{
          const: value,
          multipleOf: fc.constantFrom(0.5, 1, 2),
          minimum: small,
          maximum: small,
          exclusiveMinimum: small,
          exclusiveMaximum: small,
        },
        ...{
          minLength: small,
          maxLength: small,
          pattern: fc.constantFrom('^a', 'b$', '[a-c]+', '^.{2}$', '-'),
          minItems: small,
          maxItems: small,
        },
        ...{ uniqueItems: fc.boolean(), minProperties: small, maxProperties: small, required: names },
        ...{
          dependentRequired: fc.dictionary(key, names, { maxKeys: 1, noNullPrototype: true }),
          $ref: fc.constantFrom('#/$defs/x', '#/$defs/y'),
        },
      },
      { requiredKeys: [] },
    );
    const branch = fc.oneof(
      ...['items', 'contains', 'additionalProperties', 'propertyNames', 'not', 'if', 'then', 'else'].map((keyword) =>
        fc.record({ [keyword]: below }),
      ),
      ...['prefixItems', 'allOf', 'anyOf', 'oneOf'].map((keyword) => fc.record({ [keyword]: list })),
      ...['properties', 'dependentSchemas'].map((keyword) => fc.record({ [keyword]: members })),
      fc.record({ patternProperties: fc.dictionary(fc.constantFrom('^a', 'b'), below, { maxKeys: 1, noNullPrototype: true }) }),
      fc.record({ contains: below, minContains: small, maxContains: small }),
      fc.record({ if: below, then: below, else: below }),
      fc.record({ properties: members, additionalProperties: below }),
    );
    const branches = fc.array(branch, { maxLength: 2 }).map((each) => Object.assign({}, ...each) as object);
    return {
      schema: fc.oneof(
        { maxDepth: 3, depthSize: 'small' },
        leaf,
        fc.boolean(),
        fc.tuple(leaf, branches).map(([a, b]) => ({ ...a, ...b })),
      ),
    };
  });
  const part = {
    $defs: fc.record({ x: fc.constantFrom<object | boolean>({ type: 'string' }, { minimum: 2 }, true), y: fc.constant({ maxItems: 1 }) }),
  };

  it('is that of another implementation, for any schema and payload', () => {
    const ajv = new Ajv2020({ strict: false, ownProperties: true, logger: false });
    const run = ({ $defs, top, payload }: { $defs: object; top: object | boolean; payload: unknown }): void => {
      const whole = { ...(typeof top === 'boolean' ? { allOf: [top] } : top), $defs };
      expect(PayloadSchema.of(whole).problems(payload).length === 0).toBe(ajv.compile(whole)(payload));
    };
    fc.assert(fc.property(fc.record({ ...part, top: schema, payload: value }), run), { numRuns: 400 });
  });
});
