/**
 * One part of a schema while it is compiled: its keywords as they were written, and what is needed to turn them into checks. What does
 * not do is noted, all of it, with its place, so that an author repairs a schema in one round.
 */
import type { Check } from './run.js';

export type SchemaObject = Readonly<Record<string, unknown>>;

export interface Compiling {
  /** Compiles a schema below; `place` is a JSON pointer into the whole. */
  compile(schema: unknown, place: string): Check;
  /** The check of a schema that is referred to; it may be one that is being compiled. */
  refer(reference: string): Check;
  refuse(place: string, problem: string): void;
}

export class SchemaPart {
  constructor(
    private readonly schema: SchemaObject,
    readonly place: string,
    private readonly compiling: Compiling,
  ) {}

  has(keyword: string): boolean {
    return Object.hasOwn(this.schema, keyword);
  }

  value(keyword: string): unknown {
    return this.has(keyword) ? this.schema[keyword] : undefined;
  }

  refuse(keyword: string, problem: string): void {
    this.compiling.refuse(`${this.place}/${escaped(keyword)}`, problem);
  }

  refer(reference: string): Check {
    return this.compiling.refer(reference);
  }

  /** A count: a whole number from 0 on. */
  count(keyword: string): number | null {
    const value = this.value(keyword);
    if (value === undefined) return null;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
    this.refuse(keyword, 'must be a whole number from 0 on');
    return null;
  }

  number(keyword: string): number | null {
    const value = this.value(keyword);
    if (value === undefined) return null;
    if (typeof value === 'number') return value;
    this.refuse(keyword, 'must be a number');
    return null;
  }

  flag(keyword: string): boolean {
    const value = this.value(keyword);
    if (value === undefined || typeof value === 'boolean') return value ?? false;
    this.refuse(keyword, 'must be true or false');
    return false;
  }

  /** Distinct texts. */
  names(keyword: string): readonly string[] {
    const value = this.value(keyword);
    if (value === undefined) return [];
    const texts = Array.isArray(value) ? value.filter((name): name is string => typeof name === 'string') : [];
    if (!Array.isArray(value) || texts.length < value.length || new Set(texts).size < texts.length) {
      this.refuse(keyword, 'must be a list of distinct texts');
    }
    return texts;
  }

  schemaAt(keyword: string): Check | null {
    return this.has(keyword) ? this.compiling.compile(this.value(keyword), `${this.place}/${escaped(keyword)}`) : null;
  }

  schemas(keyword: string): readonly Check[] {
    const value = this.value(keyword);
    if (value === undefined) return [];
    if (Array.isArray(value) && value.length > 0) {
      return value.map((schema, index) => this.compiling.compile(schema, `${this.place}/${escaped(keyword)}/${index}`));
    }
    this.refuse(keyword, 'must be a list of at least one schema');
    return [];
  }

  /** An object whose members are schemas. */
  members(keyword: string): ReadonlyMap<string, Check> {
    return new Map(
      this.entries(keyword).map(([key, schema]) => [
        key,
        this.compiling.compile(schema, `${this.place}/${escaped(keyword)}/${escaped(key)}`),
      ]),
    );
  }

  entries(keyword: string): readonly (readonly [string, unknown])[] {
    const value = this.value(keyword);
    if (value === undefined) return [];
    if (isObject(value)) return Object.entries(value);
    this.refuse(keyword, 'must be an object');
    return [];
  }
}

export function isObject(value: unknown): value is SchemaObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const SHOWN_LENGTH = 64;

/** For a JSON pointer (RFC 6901). */
function escaped(key: string): string {
  return key.slice(0, SHOWN_LENGTH).replaceAll('~', '~0').replaceAll('/', '~1');
}
