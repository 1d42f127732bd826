/** The keywords that look at one value by itself: its type, its equals, numbers and texts. */
import { canonical, TEXT_PER_STEP } from './equality.js';
import { formatCheck, FORMAT_NAMES } from './formats.js';
import { compilePattern } from './patterns.js';
import { type Check, Run } from './run.js';
import type { SchemaPart } from './schema-part.js';

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  null: (value) => value === null,
  boolean: (value) => typeof value === 'boolean',
  integer: (value) => Number.isInteger(value),
  number: (value) => typeof value === 'number',
  string: (value) => typeof value === 'string',
  array: (value) => Array.isArray(value),
  object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
};

export function valueChecks(part: SchemaPart): Check[] {
  return [...typeChecks(part), ...equalityChecks(part), ...numberChecks(part), ...textChecks(part)];
}

function typeChecks(part: SchemaPart): Check[] {
  const written = part.value('type');
  if (written === undefined) return [];
  const names: readonly unknown[] = Array.isArray(written) ? written : [written];
  const known = names.filter((name): name is string => typeof name === 'string' && Object.hasOwn(TYPES, name));
  if (names.length === 0 || known.length < names.length || new Set(known).size < known.length) {
    part.refuse('type', `must be one or several of ${Object.keys(TYPES).join(', ')}`);
    return [];
  }
  const tests = known.flatMap((name) => TYPES[name] ?? []);
  const message = `must be of type ${known.join(' or ')}`;
  return [
    (value, run) => {
      if (!tests.some((test) => test(value))) run.report('type', message);
    },
  ];
}

function equalityChecks(part: SchemaPart): Check[] {
  const listed = part.value('enum');
  if (part.has('enum') && (!Array.isArray(listed) || listed.length === 0)) part.refuse('enum', 'must be a list of at least one value');
  const lists: [keyword: string, values: readonly unknown[], message: string][] = [
    ...(Array.isArray(listed) ? [['enum', listed, 'must be one of the values that the schema lists'] as [string, unknown[], string]] : []),
    ...(part.has('const')
      ? [['const', [part.value('const')], 'must be the value that the schema names'] as [string, unknown[], string]]
      : []),
  ];
  return lists.map(([keyword, values, message]) => {
    const texts = new Set(values.map((value) => canonical(value, new Run())));
    return (value, run) => {
      if (!texts.has(canonical(value, run))) run.report(keyword, message);
    };
  });
}

function numberChecks(part: SchemaPart): Check[] {
  const checks: Check[] = [];
  const onNumbers = (keyword: string, message: (bound: number) => string, accepts: (value: number, bound: number) => boolean): void => {
    const bound = part.number(keyword);
    if (bound === null) return;
    const told = message(bound);
    const code = keyword.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    checks.push((value, run) => {
      if (typeof value === 'number' && !accepts(value, bound)) run.report(code, told);
    });
  };
  const multipleOf = part.value('multipleOf');
  if (typeof multipleOf === 'number' && multipleOf <= 0) part.refuse('multipleOf', 'must be above 0');
  onNumbers(
    'multipleOf',
    (bound) => `must be a multiple of ${bound}`,
    (value, bound) => Number.isInteger(value / bound),
  );
  onNumbers(
    'minimum',
    (bound) => `must be at least ${bound}`,
    (value, bound) => value >= bound,
  );
  onNumbers(
    'maximum',
    (bound) => `must be at most ${bound}`,
    (value, bound) => value <= bound,
  );
  onNumbers(
    'exclusiveMinimum',
    (bound) => `must be above ${bound}`,
    (value, bound) => value > bound,
  );
  onNumbers(
    'exclusiveMaximum',
    (bound) => `must be below ${bound}`,
    (value, bound) => value < bound,
  );
  return checks;
}

function textChecks(part: SchemaPart): Check[] {
  const checks: Check[] = [];
  const onTexts = (check: (text: string, run: Run) => void): void => {
    checks.push((value, run) => {
      if (typeof value === 'string') check(value, run);
    });
  };
  const minLength = part.count('minLength');
  const maxLength = part.count('maxLength');
  if (minLength !== null || maxLength !== null) {
    onTexts((text, run) => {
      run.spend(text.length / TEXT_PER_STEP);
      const length = charactersOf(text);
      if (minLength !== null && length < minLength) run.report('min-length', `must have at least ${minLength} characters`);
      if (maxLength !== null && length > maxLength) run.report('max-length', `must have at most ${maxLength} characters`);
    });
  }
  if (part.has('pattern')) {
    const pattern = compilePattern(part.value('pattern'));
    if (typeof pattern === 'string') part.refuse('pattern', pattern);
    else
      onTexts((text, run) => {
        if (!pattern.fits(text, run)) run.report('pattern', `must match ${pattern.source}`);
      });
  }
  if (part.has('format')) {
    const name = part.value('format');
    const accepts = formatCheck(name);
    if (accepts === undefined) part.refuse('format', `must be one of ${FORMAT_NAMES.join(', ')}`);
    else
      onTexts((text, run) => {
        if (!accepts(text)) run.report('format', `must have the form of ${String(name)}`);
      });
  }
  return checks;
}

/** Characters and not the halves of those beyond the first 65,536, as the standard counts. */
function charactersOf(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit < 0xdc00 || unit > 0xdfff) count += 1;
  }
  return count;
}
