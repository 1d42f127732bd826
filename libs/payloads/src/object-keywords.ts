/** The keywords for objects. Only an object's own members count: `toString` is there when the payload says so. */
import { compilePattern, type Pattern } from './patterns.js';
import type { Check, Run } from './run.js';
import type { SchemaObject, SchemaPart } from './schema-part.js';
import { isObject } from './schema-part.js';

export function objectChecks(part: SchemaPart): Check[] {
  const checks = [...sizeChecks(part), ...presenceChecks(part), ...memberChecks(part), ...nameChecks(part), ...dependentChecks(part)];
  return checks.map((check): Check => (value, run) => {
    if (isObject(value)) check(value, run);
  });
}

type ObjectCheck = (object: SchemaObject, run: Run) => void;

function sizeChecks(part: SchemaPart): ObjectCheck[] {
  const minProperties = part.count('minProperties');
  const maxProperties = part.count('maxProperties');
  if (minProperties === null && maxProperties === null) return [];
  return [
    (object, run) => {
      const size = Object.keys(object).length;
      run.spend(size);
      if (minProperties !== null && size < minProperties) run.report('min-properties', `must have at least ${minProperties} members`);
      if (maxProperties !== null && size > maxProperties) run.report('max-properties', `must have at most ${maxProperties} members`);
    },
  ];
}

function presenceChecks(part: SchemaPart): ObjectCheck[] {
  const required = part.names('required');
  const dependent = part.entries('dependentRequired').map(([key, names]): [string, readonly string[]] => {
    const texts = Array.isArray(names) ? names.filter((name): name is string => typeof name === 'string') : [];
    if (!Array.isArray(names) || texts.length < names.length) part.refuse('dependentRequired', 'must be an object of lists of texts');
    return [key, texts];
  });
  return [
    (object, run) => {
      run.spend(required.length);
      for (const name of required) if (!Object.hasOwn(object, name)) run.report('required', 'is required', name);
      for (const [key, names] of dependent) {
        run.spend(1 + names.length);
        if (!Object.hasOwn(object, key)) continue;
        for (const name of names) if (!Object.hasOwn(object, name)) run.report('dependent-required', 'is required here', name);
      }
    },
  ];
}

function memberChecks(part: SchemaPart): ObjectCheck[] {
  const named = part.members('properties');
  const patterned = patternMembers(part);
  const others = part.schemaAt('additionalProperties');
  const refusesOthers = part.value('additionalProperties') === false;
  if (named.size === 0 && patterned.length === 0 && others === null) return [];
  return [
    (object, run) => {
      for (const [key, value] of Object.entries(object)) {
        run.spend(1);
        const own = named.get(key);
        const fitting = patterned.filter(([pattern]) => pattern.fits(key, run)).map(([, check]) => check);
        if (own !== undefined) run.inside(key, own, value);
        for (const check of fitting) run.inside(key, check, value);
        if (own === undefined && fitting.length === 0) {
          if (refusesOthers) run.report('additional-properties', 'is not a member that the schema knows', key);
          else if (others !== null) run.inside(key, others, value);
        }
        if (run.isDone) return;
      }
    },
  ];
}

function patternMembers(part: SchemaPart): (readonly [Pattern, Check])[] {
  return [...part.members('patternProperties')].flatMap(([source, check]) => {
    const pattern = compilePattern(source);
    if (typeof pattern !== 'string') return [[pattern, check] as const];
    part.refuse('patternProperties', `has a key that ${pattern}`);
    return [];
  });
}

function nameChecks(part: SchemaPart): ObjectCheck[] {
  const names = part.schemaAt('propertyNames');
  if (names === null) return [];
  return [
    (object, run) => {
      for (const key of Object.keys(object)) {
        if (!run.passes(names, key)) run.report('property-names', 'has a name that the schema does not allow', key);
        if (run.isDone) return;
      }
    },
  ];
}

function dependentChecks(part: SchemaPart): ObjectCheck[] {
  const dependent = [...part.members('dependentSchemas')];
  if (dependent.length === 0) return [];
  return [
    (object, run) => {
      for (const [key, check] of dependent) if (Object.hasOwn(object, key)) check(object, run);
    },
  ];
}
