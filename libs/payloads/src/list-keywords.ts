/** The keywords for arrays. */
import { canonical } from './equality.js';
import type { Check, Run } from './run.js';
import type { SchemaPart } from './schema-part.js';

export function listChecks(part: SchemaPart): Check[] {
  return [sizeCheck(part), ...itemChecks(part), ...containsChecks(part)].map((check): Check => (value, run) => {
    if (Array.isArray(value)) check(value, run);
  });
}

type ListCheck = (items: readonly unknown[], run: Run) => void;

function sizeCheck(part: SchemaPart): ListCheck {
  const minItems = part.count('minItems') ?? 0;
  const maxItems = part.count('maxItems') ?? Number.POSITIVE_INFINITY;
  const unique = part.flag('uniqueItems');
  return (items, run) => {
    if (items.length < minItems) run.report('min-items', `must have at least ${minItems} items`);
    if (items.length > maxItems) run.report('max-items', `must have at most ${maxItems} items`);
    if (unique && new Set(items.map((item) => canonical(item, run))).size < items.length) {
      run.report('unique-items', 'must not have the same item twice');
    }
  };
}

function itemChecks(part: SchemaPart): ListCheck[] {
  const prefix = part.schemas('prefixItems');
  const rest = part.schemaAt('items');
  if (prefix.length === 0 && rest === null) return [];
  return [
    (items, run) => {
      const looked = rest === null ? Math.min(prefix.length, items.length) : items.length;
      for (let index = 0; index < looked && !run.isDone; index += 1) {
        const check = prefix[index] ?? rest;
        if (check !== null) run.inside(index, check, items[index]);
      }
    },
  ];
}

function containsChecks(part: SchemaPart): ListCheck[] {
  const wanted = part.schemaAt('contains');
  const min = part.count('minContains') ?? 1;
  const max = part.count('maxContains') ?? Number.POSITIVE_INFINITY;
  if (wanted === null) return [];
  return [
    (items, run) => {
      const count = items.filter((item) => run.passes(wanted, item)).length;
      if (count < min) run.report('contains', `must have at least ${min} items of the kind that the schema names`);
      if (count > max) run.report('max-contains', `must have at most ${max} items of the kind that the schema names`);
    },
  ];
}
