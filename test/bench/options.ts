/** The command line: `npm run bench -- --rounds 3 --only product,bullmq --measure bulk,drain`. */
import { parseArgs } from 'node:util';

export interface Options {
  /** Of a bulk or drain measurement, in each round. */
  readonly tasks: number;
  readonly rounds: number;
  /** WORKER_CONCURRENCY of the measured worker. */
  readonly concurrency: number;
  /** Names of contenders; null is all of them. Some alone are only printed. */
  readonly only: readonly string[] | null;
  /** Names of measurements, as in `bulk` or `http.accept`; null is all of them. Some alone are measured on a colder process, so they are only printed. */
  readonly measure: readonly string[] | null;
  /** Take profiles of the product instead of figures. */
  readonly profile: boolean;
  /** Only print; leave docs/benchmarks.md as it is. */
  readonly print: boolean;
  /** Count instead of measuring, and fail where a task costs far more than it did. */
  readonly smoke: boolean;
}

const PROFILED = ['product', 'embedded'];

/** Throws an Error that says what to write, where the arguments cannot be used. */
export function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      tasks: { type: 'string', default: '60000' },
      rounds: { type: 'string' },
      concurrency: { type: 'string', default: '1000' },
      only: { type: 'string' },
      measure: { type: 'string' },
      profile: { type: 'boolean', default: false },
      print: { type: 'boolean', default: false },
      smoke: { type: 'boolean', default: false },
    },
  });
  const { profile, print, smoke } = values;
  const only = namesIn(values.only);
  return {
    tasks: whole('--tasks', values.tasks, 1_000, 1_000_000),
    rounds: whole('--rounds', values.rounds ?? (profile ? '1' : '3'), 1, 100),
    concurrency: whole('--concurrency', values.concurrency, 1, 1_000),
    only: only ?? (profile ? PROFILED : null),
    measure: namesIn(values.measure),
    profile,
    print: print || values.measure !== undefined || values.only !== undefined,
    smoke,
  };
}

/** Of a list with commas; null where there is none. */
export function namesIn(text: string | undefined): string[] | null {
  return text?.split(',').map((name) => name.trim()) ?? null;
}

/** @throws Error that names the option, what it knows and what it does not. */
export function mustKnow(option: string, names: readonly string[] | null, known: readonly string[]): void {
  const unknown = names?.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`${option} knows: ${known.join(', ')}; not ${unknown}.`);
}

/** @throws Error that names the option and its bounds. */
export function whole(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max) throw new Error(`${name} must be a whole number from ${min} to ${max}.`);
  return value;
}
