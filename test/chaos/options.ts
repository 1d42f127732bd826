/** The command line: `npm run chaos -- --seed 7 --tasks 20000 --faults 60`. */
import { parseArgs } from 'node:util';
import { KINDS, type Kind } from './plan-tasks.js';

export interface Options {
  /** All chance comes from it. */
  readonly seed: number;
  readonly tasks: number;
  readonly faults: number;
  /** Submissions per second, whatever becomes of them. */
  readonly rate: number;
  /** The whole campaign must be over by then; what has not ended is stuck. */
  readonly minutes: number;
  /** Besides the faults Redis is emptied this often; null for never. */
  readonly flushEveryMs: number | null;
  /** Address of a server that is somebody else's, which is then neither killed nor frozen; null for one of our own. */
  readonly database: string | null;
  /** Where the figures go as JSON. */
  readonly out: string | null;
  readonly kinds: readonly Kind[];
  /** Fewer tasks and faults, for continuous integration. */
  readonly short: boolean;
  /** Keep logs, effects and data of a campaign that found nothing, too. */
  readonly keep: boolean;
}

const SHORT = { tasks: '1500', faults: '9', minutes: '4' };
const LONG = { tasks: '20000', faults: '60', minutes: '60' };
const SEED_MAX = 999_999_999;

/** Throws an Error that says what to write, where the arguments cannot be used. */
export function readOptions(args: string[]): Options {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({
    args,
    options: {
      ...{ seed: text, tasks: text, faults: text, rate: text, minutes: text, kinds: text, database: text, out: text },
      ...{ 'flush-every-ms': text, short: flag, keep: flag },
    },
  });
  const usual = values.short ? SHORT : LONG;
  const flush = values['flush-every-ms'];
  return {
    seed: whole('--seed', values.seed ?? String(1 + Math.floor(Math.random() * SEED_MAX)), 1, SEED_MAX),
    tasks: whole('--tasks', values.tasks ?? usual.tasks, 10, 1_000_000),
    faults: whole('--faults', values.faults ?? usual.faults, 0, 10_000),
    rate: whole('--rate', values.rate ?? '60', 1, 1_000),
    minutes: whole('--minutes', values.minutes ?? usual.minutes, 1, 1_440),
    flushEveryMs: flush === undefined ? null : whole('--flush-every-ms', flush, 100, 3_600_000),
    database: values.database === undefined || values.database === 'mariadb' ? null : values.database,
    out: values.out ?? null,
    kinds: values.kinds === undefined ? KINDS : values.kinds.split(',').map(kindOf),
    short: values.short,
    keep: values.keep,
  };
}

/** What repeats the campaign: the same tasks and the same faults in the same order. */
export function commandOf(options: Options): string {
  const { seed, tasks, faults, rate, flushEveryMs, database, kinds } = options;
  const parts = [`--seed ${seed} --tasks ${tasks} --faults ${faults} --rate ${rate}`];
  if (flushEveryMs !== null) parts.push(`--flush-every-ms ${flushEveryMs}`);
  if (database !== null) parts.push('--database mysql://…');
  if (kinds.length < KINDS.length) parts.push(`--kinds ${kinds.join(',')}`);
  return `npm run chaos -- ${parts.join(' ')}`;
}

function whole(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max) throw new Error(`${name} must be a whole number from ${min} to ${max}.`);
  return value;
}

function kindOf(name: string): Kind {
  const kind = KINDS.find((known) => known === name);
  if (kind === undefined) throw new Error(`--kinds knows ${KINDS.join(', ')}, not ${name}.`);
  return kind;
}
