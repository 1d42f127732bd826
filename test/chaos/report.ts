/** The figures of a campaign, as a page of Markdown for people and as JSON for programs. */
import { quantile } from '../bench/statistics.js';
import type { Evidence } from './evidence.js';
import type { Judgement } from './judge.js';
import { violations } from './judge.js';
import { KINDS } from './plan-tasks.js';
import type { Ledger } from './ledger.js';
import { msOf, type Recovered } from './recovery.js';
import { commandOf, type Options } from './options.js';
import { PROCESSES, SETTINGS } from './site.js';

const SLOWEST_SHOWN = 50;

export interface Campaign {
  readonly options: Options;
  readonly versions: string;
  /** In ms, from the first submission to the last end. */
  readonly lastedMs: number;
  /** What this machine could not do, in sentences. */
  readonly leftOut: readonly string[];
  /** How often Redis was emptied besides the faults. */
  readonly flushes: number;
  readonly ledger: Ledger;
  readonly evidence: Evidence;
  readonly judgement: Judgement;
}

export function reportOf(campaign: Campaign): string {
  const { options, versions, lastedMs, leftOut, judgement } = campaign;
  const settings = Object.entries(SETTINGS).map(([name, value]) => `${name}=${value}`);
  const count = violations(judgement);
  return [
    `Seed ${options.seed}: ${grouped(options.tasks)} tasks, ${options.faults} faults in ${(lastedMs / 1_000).toFixed(0)} s, ${options.rate} submissions per second. ${versions}, Node ${process.versions.node}.`,
    `Processes: ${Object.entries(PROCESSES)
      .map(([role, number]) => `${number} ${role}`)
      .join(', ')}. Settings: ${settings.join(' ')}.`,
    ...leftOut.map((sentence) => `Left out: ${sentence}`),
    table(['counter', 'found', 'what is counted'], counters(campaign)),
    table(['figure', 'value'], figures(campaign)),
    table(['tasks', 'accepted', 'succeeded', 'failed', 'cancelled', 'executions'], tasks(campaign)),
    table(['fault', 'times', 'recoveries', 'p50 ms', 'p99 ms', 'max ms'], faults(campaign)),
    `Recovery is the time from the fault until each task that the process held, and did not finish, was started again; for a fault of a server or its keys it is the time from the end of the fault until each task that was waiting then was started. Faults overlap, so one may prolong the recovery from another.`,
    `${count === 0 ? 'No violation.' : `${grouped(count)} VIOLATIONS.`} To repeat: \`${commandOf(options)}\``,
  ].join('\n\n');
}

/** Everything that the page says, and the faults one by one. */
export function jsonOf(campaign: Campaign): string {
  const { options, versions, lastedMs, leftOut, judgement, ledger, evidence } = campaign;
  const found = [...judgement.findings].map(([{ name }, findings]) => [name, findings.length] as const);
  const document = {
    ...{ seed: options.seed, tasks: options.tasks, faults: options.faults, rate: options.rate, flushEveryMs: options.flushEveryMs },
    ...{ versions, lastedMs: Math.round(lastedMs), settings: SETTINGS, processes: PROCESSES, leftOut, flushes: campaign.flushes },
    counters: Object.fromEntries(found),
    findings: [...judgement.findings].flatMap(([{ name }, findings]) => findings.slice(0, 20).map((one) => ({ counter: name, ...one }))),
    figures: { ...judgement.figures, waits: spreadOf(judgement.figures.waits.map(msOf)) },
    slowestStarts: slowestStarts(campaign),
    answers: Object.fromEntries(ledger.answers),
    recoveryMs: recoveryByName(campaign).map(([name, ms]) => ({ name, ...spreadOf(ms) })),
    log: evidence.faults.map(({ index, name, at, healedAt, pid, note }) => ({
      index,
      name,
      at: Math.round(at),
      healedAt: Math.round(healedAt),
      pid,
      note,
    })),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** Of the tasks that a process held when it was hit. */
export function processRecoveries({ recoveries }: Judgement, { faults: happened }: Evidence): Recovered[] {
  return recoveries.flatMap(({ tasks: of }, index) => (happened[index]?.pid === null ? [] : of));
}

/** The tasks that waited longest for their first start, to look into. */
function slowestStarts({ judgement, evidence }: Campaign): object[] {
  const slowest = [...judgement.figures.waits].sort((a, b) => msOf(b) - msOf(a)).slice(0, SLOWEST_SHOWN);
  return slowest.map((wait) => {
    const { kind, tenant, body, batch } = evidence.submissions[wait.n]!.plan;
    return {
      n: wait.n,
      ms: Math.round(msOf(wait)),
      acceptedAt: Math.round(wait.acceptedAt),
      kind,
      tenant,
      queue: body['queue'],
      priority: body['priority'],
      batch,
    };
  });
}

function counters({ judgement }: Campaign): string[][] {
  return [...judgement.findings].map(([{ name, meaning }, found]) => [
    name,
    found.length === 0 ? '0' : `**${grouped(found.length)}**`,
    meaning,
  ]);
}

function figures({ judgement, ledger, evidence, flushes, options }: Campaign): string[][] {
  const { repeated, repeatable, overlaps, overlapsFrozen, poisoned, failedStarts, acceptedWithoutRedis, waits } = judgement.figures;
  const hits = processRecoveries(judgement, evidence).map(({ ms }) => ms);
  const answers = [...ledger.answers].sort(([, a], [, b]) => b - a).map(([name, count]) => `${name}: ${grouped(count)}`);
  return [
    ['recovery of what a process held: p50, p99, max', shown(hits)],
    ['from the acceptance to the first start: p50, p99, max', shown(waits.map(msOf))],
    ['executions that were repeated, of at most faults × concurrency', `${grouped(repeated)} of ${grouped(repeatable)}`],
    ['executions of one task at the same time, after a lost lease', `${overlaps}, ${overlapsFrozen} of them in a process that stood still`],
    ['tasks that are poison because the campaign killed their workers', String(poisoned)],
    ['processes that gave up starting while the database was away', String(failedStarts)],
    ['accepted while Redis was away', grouped(acceptedWithoutRedis)],
    ...(options.flushEveryMs === null ? [] : [['Redis emptied besides the faults', `${flushes} times`]]),
    ['answers to the clients', answers.join(', ')],
  ];
}

function tasks({ evidence }: Campaign): string[][] {
  const starts = new Map<number, number>();
  for (const { n, what } of evidence.lines) if (what === 'start') starts.set(n, (starts.get(n) ?? 0) + 1);
  const states = new Map(evidence.tasks.map(({ n, state }) => [n, state]));
  const line = (name: string, numbers: readonly number[]): string[] => {
    const inState = (state: string): string => grouped(numbers.filter((n) => states.get(n) === state).length);
    const executions = numbers.reduce((sum, n) => sum + (starts.get(n) ?? 0), 0);
    return [name, grouped(numbers.length), inState('succeeded'), inState('failed'), inState('cancelled'), grouped(executions)];
  };
  const accepted = evidence.submissions.filter(({ ids }) => ids.size > 0);
  const of = (kind: string): number[] => accepted.filter(({ plan }) => plan.kind === kind).map(({ plan }) => plan.n);
  return [
    ...KINDS.map((kind) => line(kind, of(kind))),
    line(
      'all',
      accepted.map(({ plan }) => plan.n),
    ),
  ];
}

function faults(campaign: Campaign): string[][] {
  const times = new Map<string, number>();
  for (const { name } of campaign.evidence.faults) times.set(name, (times.get(name) ?? 0) + 1);
  return recoveryByName(campaign).map(([name, ms]) => {
    const { count, p50, p99, max } = spreadOf(ms);
    return [
      name,
      String(times.get(name) ?? 0),
      ...(count === 0 ? ['–', '–', '–', '–'] : [String(count), String(p50), String(p99), String(max)]),
    ];
  });
}

function recoveryByName({ judgement }: Campaign): [string, number[]][] {
  const byName = new Map<string, number[]>();
  for (const { name, tasks: of } of judgement.recoveries) byName.set(name, [...(byName.get(name) ?? []), ...of.map(({ ms }) => ms)]);
  return [...byName].sort(([a], [b]) => (a < b ? -1 : 1));
}

function spreadOf(ms: readonly number[]): { count: number; p50: number; p99: number; max: number } {
  const at = (share: number): number => Math.round(quantile(ms, share));
  return { count: ms.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}

function shown(ms: readonly number[]): string {
  const { count, p50, p99, max } = spreadOf(ms);
  return count === 0 ? 'none' : `${p50}, ${p99}, ${max} ms (${grouped(count)} tasks)`;
}

function grouped(value: number): string {
  return value.toLocaleString('en-US');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
