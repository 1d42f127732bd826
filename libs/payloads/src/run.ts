/**
 * One check of one payload: where in the payload it stands, what it has found, and how much work it may still do. Every schema costs
 * each part of a payload at least a step, and a check that has used up its steps ends with a refusal; so nobody can write a payload,
 * or by accident a schema, that keeps the event loop for longer than the steps take, whatever is combined with whatever.
 */

/** One thing that is wrong with a payload. Neither part repeats what the payload holds. */
export interface SchemaProblem {
  /** Keys and indexes from the payload down to the place. */
  readonly path: readonly (string | number)[];
  /** The keyword of the schema in kebab-case, or `too-complex`. */
  readonly code: string;
  /** Completes a sentence that begins with the name of the place. */
  readonly message: string;
}

/** A compiled schema, or a part of one. */
export type Check = (value: unknown, run: Run) => void;

/** How many problems are told at most. */
export const PROBLEMS_MAX = 20;
/** How much one check may do: some tenths of a second at worst. A payload of 256 KiB of small numbers takes some 130,000 steps. */
export const STEPS_MAX = 500_000;
/** How deep schemas may apply schemas to a value; a payload has 32 levels. */
const DEPTH_MAX = 400;

/** Thrown to leave a check in the middle; it never leaves this lib. */
export class OutOfSteps extends Error {}

export class Run {
  readonly problems: SchemaProblem[] = [];
  private readonly path: (string | number)[] = [];
  private steps = STEPS_MAX;
  private depth = 0;
  private isQuiet = false;
  private hasFailed = false;

  /** Whether looking further would change nothing. */
  get isDone(): boolean {
    return this.isQuiet ? this.hasFailed : this.problems.length >= PROBLEMS_MAX;
  }

  /** @throws OutOfSteps */
  spend(steps: number): void {
    this.steps -= steps;
    if (this.steps < 0) throw new OutOfSteps();
  }

  /** Runs the checks of one schema in turn. @throws OutOfSteps */
  all(checks: readonly Check[], value: unknown): void {
    this.spend(1);
    this.depth += 1;
    if (this.depth > DEPTH_MAX) throw new OutOfSteps();
    for (const check of checks) {
      check(value, this);
      if (this.isDone) break;
    }
    this.depth -= 1;
  }

  /** The same for a value inside the one that is looked at. */
  inside(key: string | number, check: Check, value: unknown): void {
    this.path.push(key);
    check(value, this);
    this.path.pop();
  }

  /** Whether the value would pass, without telling why not. */
  passes(check: Check, value: unknown): boolean {
    const { isQuiet, hasFailed } = this;
    this.isQuiet = true;
    this.hasFailed = false;
    check(value, this);
    const passed = !this.hasFailed;
    this.isQuiet = isQuiet;
    this.hasFailed = hasFailed;
    return passed;
  }

  /** @param at further down from here, where the problem is with something inside the value, or missing in it */
  report(code: string, message: string, ...at: readonly (string | number)[]): void {
    this.hasFailed = true;
    if (!this.isQuiet) this.problems.push({ path: [...this.path, ...at], code, message });
  }
}
