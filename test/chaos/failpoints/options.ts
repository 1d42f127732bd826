/** The command line: `npm run failpoints -- --seed 7 --kills 100 --points claim,settle.moved`. */
import { parseArgs } from 'node:util';
import { FAILPOINTS, type FailpointName } from '@app/lifecycle';

export interface Options {
  /** All chance comes from it: at which pass each process dies. */
  readonly seed: number;
  /** At each failpoint. */
  readonly kills: number;
  readonly points: readonly FailpointName[];
  /** How many failpoints are tried side by side. */
  readonly lanes: number;
}

const SEED_MAX = 999_999_999;
const NAMES = Object.keys(FAILPOINTS) as FailpointName[];

/** Throws an Error that says what to write, where the arguments cannot be used. */
export function readOptions(args: string[]): Options {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ args, options: { seed: text, kills: text, points: text, lanes: text } });
  return {
    seed: whole('--seed', values.seed ?? String(1 + Math.floor(Math.random() * SEED_MAX)), 1, SEED_MAX),
    kills: whole('--kills', values.kills ?? '100', 1, 100_000),
    points: values.points === undefined ? NAMES : pointsOf(values.points.split(',')),
    lanes: whole('--lanes', values.lanes ?? '2', 1, 16),
  };
}

/** What repeats the campaign. */
export function commandOf({ seed, kills, points, lanes }: Options): string {
  const chosen = points.length < NAMES.length ? ` --points ${points.join(',')}` : '';
  return `npm run failpoints -- --seed ${seed} --kills ${kills} --lanes ${lanes}${chosen}`;
}

/** A name, or the first part of several, such as `settle`. */
function pointsOf(wanted: readonly string[]): FailpointName[] {
  const matching = (word: string): FailpointName[] => NAMES.filter((name) => name === word || name.startsWith(`${word}.`));
  const strange = wanted.find((word) => matching(word).length === 0);
  if (strange !== undefined) throw new Error(`--points knows ${NAMES.join(', ')} and their first parts, not ${strange}.`);
  return [...new Set(wanted.flatMap(matching))];
}

function whole(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max) throw new Error(`${name} must be a whole number from ${min} to ${max}.`);
  return value;
}
