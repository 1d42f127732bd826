/**
 * Regular expressions of schemas. They are matched by RE2, whose time grows with the text and never explodes, because the texts come
 * from anybody; what RE2 cannot do (looking ahead or behind, references back) is refused when the schema is compiled. The program that
 * a pattern becomes is bounded, since the time grows with that as well.
 */
import { RE2JS } from 're2js';
import { TEXT_PER_STEP } from './equality.js';
import type { Run } from './run.js';

const PATTERN_LENGTH_MAX = 512;
/** Instructions of a program of RE2; `[a-z]{1,1000}` has 2,003. */
const PROGRAM_MAX = 4_000;

export interface Pattern {
  readonly source: string;
  /** Whether any part of the text fits. @throws OutOfSteps */
  fits(text: string, run: Run): boolean;
}

/** @returns what is wrong with it, as the rest of a sentence, where it cannot be used */
export function compilePattern(source: unknown): Pattern | string {
  if (typeof source !== 'string' || source.length > PATTERN_LENGTH_MAX) return `must be a text of at most ${PATTERN_LENGTH_MAX} characters`;
  try {
    const program = RE2JS.compile(source);
    const size = program.programSize();
    if (size > PROGRAM_MAX) return 'is too large; repeat less, or use minLength and maxLength';
    return {
      source,
      fits: (text, run) => {
        run.spend(1 + (text.length * size) / TEXT_PER_STEP);
        return program.test(text);
      },
    };
  } catch {
    return 'is no regular expression that takes linear time (RE2 syntax: no lookahead, lookbehind or backreferences)';
  }
}
