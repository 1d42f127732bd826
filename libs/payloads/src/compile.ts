/**
 * Turns a schema into checks, once, at boot. The schema is walked and turned into closures of this lib: no code is made from it, because
 * that would let whoever writes a schema, or reaches the place it is kept in, run code. What is not known is refused, so nothing that
 * an author wrote is silently without effect.
 */
import { combiningChecks } from './combining-keywords.js';
import { listChecks } from './list-keywords.js';
import { objectChecks } from './object-keywords.js';
import type { Check } from './run.js';
import { isObject, SchemaPart, type Compiling, type SchemaObject } from './schema-part.js';
import { valueChecks } from './value-keywords.js';

const DIALECT = 'https://json-schema.org/draft/2020-12/schema';
const PARTS_MAX = 1_000;
const DEPTH_MAX = 32;
const PROBLEMS_MAX = 10;

/** For people and tools; without effect. */
const NOTES = ['$comment', 'title', 'description', 'default', 'examples', 'deprecated', 'readOnly', 'writeOnly'];
const KEYWORDS: ReadonlySet<string> = new Set([
  ...['$schema', '$defs', '$ref', 'type', 'enum', 'const', 'multipleOf', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'],
  ...['minLength', 'maxLength', 'pattern', 'format', 'prefixItems', 'items', 'contains', 'minContains', 'maxContains'],
  ...['minItems', 'maxItems', 'uniqueItems', 'properties', 'patternProperties', 'additionalProperties', 'propertyNames', 'required'],
  ...['dependentRequired', 'dependentSchemas', 'minProperties', 'maxProperties', 'allOf', 'anyOf', 'oneOf', 'not', 'if', 'then', 'else'],
  ...NOTES,
]);

export interface Compiled {
  readonly check: Check;
  /** What is wrong with the schema; the check must not be used where there is anything. */
  readonly problems: readonly string[];
}

/** @param schema plain JSON */
export function compileSchema(schema: unknown): Compiled {
  const compiler = new Compiler(schema);
  return { check: compiler.whole(), problems: compiler.problems };
}

class Compiler implements Compiling {
  readonly problems: string[] = [];
  private readonly referred = new Map<string, { check: Check }>();
  private parts = 0;
  private depth = 0;

  constructor(private readonly root: unknown) {}

  whole(): Check {
    if (isObject(this.root)) {
      for (const name of Object.keys(this.definitions())) this.refer(`#/$defs/${name}`);
    }
    return this.refer('#');
  }

  refer(reference: string): Check {
    const known = this.referred.get(reference);
    if (known !== undefined) {
      return (value, run) => {
        known.check(value, run);
      };
    }
    const name = reference.slice('#/$defs/'.length);
    const definitions = this.definitions();
    if (reference !== '#' && !Object.hasOwn(definitions, name)) {
      this.refuse(`/$defs/${name.slice(0, 64)}`, 'is referred to and not there');
      return () => undefined;
    }
    const slot = { check: (): void => undefined } as { check: Check };
    this.referred.set(reference, slot);
    const { depth } = this;
    this.depth = 0;
    slot.check = reference === '#' ? this.compile(this.root, '') : this.compile(definitions[name], `/$defs/${name}`);
    this.depth = depth;
    return slot.check;
  }

  compile(schema: unknown, place: string): Check {
    this.parts += 1;
    if (this.parts > PARTS_MAX || this.depth >= DEPTH_MAX) {
      this.refuse(place, `is too much: a schema has at most ${PARTS_MAX} parts and ${DEPTH_MAX} levels`);
      return () => undefined;
    }
    if (schema === true) return () => undefined;
    if (schema === false) {
      return (_value, run) => {
        run.report('false-schema', 'must not be there');
      };
    }
    if (!isObject(schema)) {
      this.refuse(place, 'must be a schema: an object, true or false');
      return () => undefined;
    }
    this.depth += 1;
    const checks = this.checksOf(schema, place);
    this.depth -= 1;
    return (value, run) => {
      run.all(checks, value);
    };
  }

  refuse(place: string, problem: string): void {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push(`"payloadSchema" at ${place === '' ? 'its top' : place} ${problem}`);
  }

  private checksOf(schema: SchemaObject, place: string): Check[] {
    for (const keyword of Object.keys(schema)) {
      if (!KEYWORDS.has(keyword)) this.refuse(`${place}/${keyword.slice(0, 64)}`, 'is not a keyword that is supported');
    }
    const part = new SchemaPart(schema, place, this);
    if (part.has('$schema') && part.value('$schema') !== DIALECT) part.refuse('$schema', `must be ${DIALECT}`);
    if (part.has('$defs') && place !== '') part.refuse('$defs', 'must stand at the top of the schema');
    return [...valueChecks(part), ...listChecks(part), ...objectChecks(part), ...combiningChecks(part)];
  }

  private definitions(): SchemaObject {
    const found = isObject(this.root) && Object.hasOwn(this.root, '$defs') ? this.root['$defs'] : {};
    return isObject(found) ? found : {};
  }
}
