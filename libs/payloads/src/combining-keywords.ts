/** The keywords that apply other schemas to the same value. What only one of several has to say is not told, only that none fits. */
import type { Check } from './run.js';
import type { SchemaPart } from './schema-part.js';

export function combiningChecks(part: SchemaPart): Check[] {
  return [...referenceChecks(part), ...part.schemas('allOf'), ...alternativeChecks(part), ...conditionChecks(part)];
}

function referenceChecks(part: SchemaPart): Check[] {
  const reference = part.value('$ref');
  if (reference === undefined) return [];
  if (typeof reference === 'string' && (reference === '#' || /^#\/\$defs\/[^/~%]+$/.test(reference))) return [part.refer(reference)];
  part.refuse('$ref', 'must be "#" or "#/$defs/NAME": nothing is fetched, and nothing outside of the schema is known');
  return [];
}

function alternativeChecks(part: SchemaPart): Check[] {
  const checks: Check[] = [];
  const anyOf = part.schemas('anyOf');
  const oneOf = part.schemas('oneOf');
  const not = part.schemaAt('not');
  if (anyOf.length > 0) {
    checks.push((value, run) => {
      if (!anyOf.some((check) => run.passes(check, value))) run.report('any-of', 'fits none of the alternatives of the schema');
    });
  }
  if (oneOf.length > 0) {
    checks.push((value, run) => {
      const fitting = oneOf.filter((check) => run.passes(check, value)).length;
      if (fitting !== 1) run.report('one-of', `fits ${fitting} of the alternatives of the schema, and must fit one`);
    });
  }
  if (not !== null) {
    checks.push((value, run) => {
      if (run.passes(not, value)) run.report('not', 'is what the schema excludes');
    });
  }
  return checks;
}

function conditionChecks(part: SchemaPart): Check[] {
  const condition = part.schemaAt('if');
  const then = part.schemaAt('then');
  const otherwise = part.schemaAt('else');
  if (condition === null || (then === null && otherwise === null)) return [];
  return [
    (value, run) => {
      const check = run.passes(condition, value) ? then : otherwise;
      check?.(value, run);
    },
  ];
}
