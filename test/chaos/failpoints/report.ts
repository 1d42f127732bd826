/** The table at the end of the campaign, and whether it is clean. */
import type { FailpointName } from '@app/lifecycle';
import type { Trial } from './trial.js';

export interface Failed {
  readonly point: FailpointName;
  readonly error: Error;
}

const HEAD = [
  'failpoint',
  'kills',
  'misses',
  'tasks',
  'lost attempts',
  'lapsed',
  'released',
  're-executions',
  'lost',
  'stuck',
  'double',
  'wrong',
  'recovery p50',
  'max',
];

const seconds = (ms: number | undefined): string => (ms === undefined ? '' : `${(ms / 1_000).toFixed(1)} s`);

function cells(trial: Trial): (string | number)[] {
  const { recovery } = trial;
  return [
    `\`${trial.point}\``,
    ...[
      trial.kills,
      trial.misses,
      trial.tasks,
      trial.lostAttempts,
      trial.lapsed,
      trial.released,
      trial.again,
      trial.lost,
      trial.stuck,
      trial.double,
      trial.wrong.length,
    ],
    ...[seconds(recovery[Math.floor(recovery.length / 2)]), seconds(recovery.at(-1))],
  ];
}

export function tableOf(trials: readonly Trial[]): string {
  const sum = (of: (trial: Trial) => number): number => trials.reduce((total, trial) => total + of(trial), 0);
  const row = (parts: readonly (string | number)[]): string => `| ${parts.join(' | ')} |`;
  const recovery = trials.flatMap((trial) => trial.recovery).sort((a, b) => a - b);
  const total = [
    ...[
      'all',
      sum(({ kills }) => kills),
      sum(({ misses }) => misses),
      sum(({ tasks }) => tasks),
      sum(({ lostAttempts }) => lostAttempts),
      sum(({ lapsed }) => lapsed),
      sum(({ released }) => released),
      sum(({ again }) => again),
    ],
    ...[sum(({ lost }) => lost), sum(({ stuck }) => stuck), sum(({ double }) => double), sum(({ wrong }) => wrong.length)],
    ...[seconds(recovery[Math.floor(recovery.length / 2)]), seconds(recovery.at(-1))],
  ];
  return [
    row(HEAD),
    row(HEAD.map((_, column) => (column === 0 ? '---' : '---:'))),
    ...trials.map((trial) => row(cells(trial))),
    row(total),
  ].join('\n');
}

export const isClean = ({ lost, stuck, double, wrong }: Trial): boolean => lost + stuck + double + wrong.length === 0;
