/**
 * Requests made from the OpenAPI document: mostly what it allows, then what it nearly allows, then anything. Without the document a
 * random request dies at the first check; from it most of them reach the store.
 */
import fc from 'fast-check';
import { followed, type OpenApi, type Operation, type Parameter, type Schema } from './openapi.js';

export interface FuzzRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

const INSTANTS = ['2030-01-01T00:00:00Z', '2031-06-30T12:00:00.123+02:00', '2032-12-31T23:59:59Z', '2001-01-01T00:00:00Z'];
/** A client that waits would only make the run slow. */
const PREFERENCES = ['wait=0', 'respond-async', 'wait=x', 'wait=0, wait=0', 'handling=strict; wait=9'];

/** `known`: ids of things that are there. */
export function requestsOf(document: OpenApi, operation: Operation, known: readonly string[]): fc.Arbitrary<FuzzRequest> {
  const texts = (place: Parameter['in']) =>
    operation.parameters
      .filter((parameter) => parameter.in === place)
      .map((parameter) => [parameter.name, textOf(document, parameter, known)] as const);
  return fc
    .record({
      path: fc.record(Object.fromEntries(texts('path'))),
      query: fc.record(Object.fromEntries(texts('query').map(([name, text]) => [name, rarely(name === 'cursor' ? 10 : 3, text)]))),
      more: rarely(15, fc.tuple(fc.string(), fc.string())),
      headers: fc.record(Object.fromEntries(texts('header').map(([name, text]) => [name, rarely(3, text)]))),
      body: operation.body === null ? fc.constant(null) : bodyOf(document, operation.body),
      type: fc.constantFrom(...Array.from({ length: 12 }, () => 'application/json'), 'application/json; charset=utf-8', 'text/plain', ''),
    })
    .map(({ path, query, more, headers, body, type }) => {
      const parameters = [...Object.entries(query), ...(more === null ? [] : [more])].flatMap(([name, text]) =>
        text === null ? [] : [[name, String(text)]],
      );
      const search = parameters.map((pair) => pair.map((part) => encodeURIComponent(wellFormed(part))).join('=')).join('&');
      const given = Object.entries(headers).flatMap(([name, text]) => (text === null ? [] : [[name, inHeader(String(text))] as const]));
      return {
        method: operation.method,
        path: `${operation.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(wellFormed(String(path[name]))) || '%20')}${search === '' ? '' : `?${search}`}`,
        headers: { ...(body === null || type === '' ? {} : { 'content-type': type }), ...Object.fromEntries(given) },
        body,
      };
    });
}

/** Null, but for one in so many more. */
const rarely = <T>(nulls: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: nulls, arbitrary: fc.constant(null) }, { weight: 1, arbitrary });

const wellFormed = (text: string): string => text.replace(/\p{Cs}/gu, '?');
const inHeader = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?');

function textOf(document: OpenApi, { name, schema }: Parameter, known: readonly string[]): fc.Arbitrary<string> {
  if (name === 'Prefer') return fc.constantFrom(...PREFERENCES);
  const allowed = valueOf(document, schema).map((value) => (typeof value === 'string' ? value : JSON.stringify(value)));
  // A cursor is the server's to make; what else is said here is nearly always none.
  if (name === 'cursor') return fc.string({ unit: 'grapheme-ascii' });
  const fitting = schema.format === 'uuid' ? fc.constantFrom(...known) : allowed;
  // A dot or two dots alone would be taken out of the path by the client.
  return fc
    .oneof({ weight: 6, arbitrary: fitting }, { weight: 1, arbitrary: allowed }, { weight: 1, arbitrary: fc.string({ minLength: 1 }) })
    .filter((text) => !/^\.{1,2}$/.test(text));
}

function bodyOf(document: OpenApi, schema: Schema): fc.Arbitrary<string | null> {
  const allowed = valueOf(document, schema);
  return fc.oneof(
    { weight: 6, arbitrary: allowed.map((value) => JSON.stringify(value)) },
    {
      weight: 4,
      arbitrary: fc
        .tuple(allowed, fc.nat(), fc.nat(2), fc.string(), junk)
        .map(bent)
        .map((value) => JSON.stringify(value)),
    },
    { weight: 1, arbitrary: junk.map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: fc.tuple(allowed, fc.nat()).map(([value, at]) => cut(JSON.stringify(value), at)) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
    { weight: 1, arbitrary: fc.constant(null) },
  );
}

const junk = fc.oneof(
  fc.jsonValue({ maxDepth: 4, noUnicodeString: false }),
  fc.constantFrom<unknown>(2 ** 53, -1, 1e308, '', '\u0000', '\u202e', '__proto__'),
);

const cut = (text: string, at: number): string => text.slice(0, at % (text.length + 1));

/** One member, at any depth, taken away, given another value, or given a neighbour. */
function bent([value, at, how, name, other]: [unknown, number, number, string, unknown]): unknown {
  if (Array.isArray(value) && value.length > 0) {
    const items: readonly unknown[] = value;
    const index = at % items.length;
    return items.map((item, place) => (place === index ? bent([item, Math.floor(at / items.length), how, name, other]) : item));
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return other;
  const entries = Object.entries(value);
  if (how === 2 || entries.length === 0) return Object.fromEntries([...entries, [name, other]]);
  const [key, member] = entries[at % entries.length]!;
  const rest = Math.floor(at / entries.length);
  if (how === 0) return Object.fromEntries(entries.filter(([each]) => each !== key));
  const below = typeof member === 'object' && rest % 2 === 1 ? bent([member, rest, how, name, other]) : other;
  return { ...value, [key]: below };
}

/** What a schema allows. */
function valueOf(document: OpenApi, written: Schema): fc.Arbitrary<unknown> {
  const schema = followed(document, written);
  if (schema.nullable === true) return fc.option(valueOf(document, { ...schema, nullable: false }));
  const alternatives = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (alternatives !== undefined) return fc.oneof(...alternatives.map((each) => valueOf(document, each)));
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case 'string':
      return stringOf(schema);
    case 'integer':
      return fc.integer({ min: Math.max(schema.minimum ?? -1_000, -(2 ** 31)), max: Math.min(schema.maximum ?? 1_000, 2 ** 31 - 1) });
    case 'number':
      return fc.double({ min: schema.minimum ?? -1e6, max: schema.maximum ?? 1e6, noNaN: true });
    case 'boolean':
      return fc.boolean();
    case 'array': {
      const items = valueOf(document, schema.items ?? {});
      return fc.array(items, { minLength: schema.minItems ?? 0, maxLength: Math.min(schema.maxItems ?? 4, 4) });
    }
    case 'object': {
      const { properties, required = [] } = schema;
      if (properties === undefined)
        return fc.dictionary(
          fc.string({ maxLength: 8 }).filter((key) => key !== '__proto__'),
          fc.jsonValue({ maxDepth: 2 }),
          { maxKeys: 3, noNullPrototype: true },
        );
      const members = Object.fromEntries(Object.entries(properties).map(([key, each]) => [key, valueOf(document, each)]));
      return fc.record(members, { requiredKeys: [...required], noNullPrototype: true });
    }
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

function stringOf({ format, pattern, minLength = 0, maxLength = 40 }: Schema): fc.Arbitrary<string> {
  if (format === 'date-time') return fc.constantFrom(...INSTANTS);
  if (format === 'uuid') return fc.uuid();
  // Few, so that filters find something and queues are used twice.
  if (pattern !== undefined) return fc.oneof(fc.constantFrom('echo', 'default', 'nightly'), fc.stringMatching(/^[A-Za-z0-9._:-]{1,30}$/));
  return fc.string({ unit: 'grapheme', minLength, maxLength: Math.min(maxLength, 40) });
}
