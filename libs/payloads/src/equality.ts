/** Compares JSON values as JSON Schema wants it: by value, whatever the order of keys. */
import type { Run } from './run.js';

/** Characters of text that cost a step. */
export const TEXT_PER_STEP = 16;

/** JSON with sorted keys: equal values have equal texts. @throws OutOfSteps */
export function canonical(value: unknown, run: Run): string {
  if (Array.isArray(value)) {
    run.spend(1 + value.length);
    return `[${value.map((item) => canonical(item, run)).join(',')}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    run.spend(1 + entries.length);
    return `{${entries.map(([key, member]) => `${JSON.stringify(key)}:${canonical(member, run)}`).join(',')}}`;
  }
  const text = JSON.stringify(value);
  run.spend(1 + text.length / TEXT_PER_STEP);
  return text;
}
