/**
 * `npm run bench -- --smoke`: does a task still cost what it cost? It counts, per task, what the servers were asked for, in batches of
 * 200 and in single submissions, and fails where that is three times what was recorded: a statement that was shared and is now made per
 * task shows at once, on any machine. A busy or a fast machine makes other groups, and machines differ in CPU, so less shows nothing.
 * Rates are not judged.
 */
import type { Backend } from '../support/backends.js';
import { cpuOf } from './bars.js';
import { Installation } from './installation.js';
import { Bench, type Measurement } from './measure.js';
import { short, table } from './report.js';
import { CountingRelay } from './round-trips.js';

const TASKS = 10_000;
/** As in the bench; the groups of the worker depend on it. */
const CONCURRENCY = 200;

const WHAT = {
  roundTrips: 'round trips to the database',
  statements: 'statements',
  commits: 'commits',
  fsyncs: 'syncs',
  commands: 'commands to Redis',
  cpu: 'CPU seconds per 1,000',
} as const;
type What = keyof typeof WHAT;
export type Costs = Readonly<Record<What, number>>;
export type Part = 'bulk' | 'single';

/**
 * Per task, on two cores; CPU in seconds per 1,000. How many messages a batch takes depends on how well the worker keeps up: what it does not
 * take at once goes past Redis (0.03 to 0.44 commands seen).
 */
export const RECORDED: Readonly<Record<Part, Costs>> = {
  bulk: { roundTrips: 0.04, statements: 0.1, commits: 0.02, fsyncs: 0.018, commands: 0.3, cpu: 0.165 },
  single: { roundTrips: 0.07, statements: 0.23, commits: 0.045, fsyncs: 0.04, commands: 0.26, cpu: 0.2 },
};
const TOO_MUCH = 3;

export interface Finding {
  readonly part: Part;
  readonly what: What;
  readonly cost: number;
  readonly limit: number;
  readonly isWithin: boolean;
}

/** A cost that could not be counted is none that is within: a smoke test that sees nothing must not pass. */
export function judgeCosts(part: Part, costs: Costs, recorded: Costs = RECORDED[part]): Finding[] {
  return (Object.keys(WHAT) as What[]).map((what) => {
    const [cost, limit] = [costs[what], recorded[what] * TOO_MUCH];
    return { part, what, cost, limit, isWithin: cost > 0 && cost <= limit };
  });
}

export function findings(all: readonly Finding[]): string {
  return table(
    ['submitted', 'per task', 'counted', 'limit', 'verdict'],
    all.map(({ part, what, cost, limit, isWithin }) => [part, WHAT[what], short(cost), short(limit), isWithin ? 'within' : '**too much**']),
  );
}

/** Resolves with every finding; there is a database server and Redis. */
export async function runSmoke(backend: Backend, say: (text: string) => void): Promise<Finding[]> {
  const environment = await backend.environment();
  const url = environment['DATABASE_URL'] ?? '';
  const relay = await CountingRelay.start(url);
  try {
    const counted: Backend = { ...backend, environment: () => Promise.resolve({ ...environment, DATABASE_URL: relay.through(url) }) };
    const installation = await Installation.start(counted, { concurrency: CONCURRENCY, profiles: null, load: null });
    const all: Finding[] = [];
    try {
      const bench = new Bench(installation, TASKS, 1, () => () => Promise.resolve());
      await bench.warmUp(['bulk', 'single']);
      for (const part of ['bulk', 'single'] as const) {
        const before = relay.roundTrips;
        const measurement = await bench.measure(part);
        const costs = costsOf(measurement, (relay.roundTrips - before) / measurement.tasks);
        say(`${part}: ${Math.round(measurement.perSecond)} tasks/s`);
        all.push(...judgeCosts(part, costs));
      }
    } catch (error) {
      // What ends the measurement is the news; that the rest then does not stop in order is not.
      await installation.close().catch(() => undefined);
      throw error;
    }
    await installation.close();
    return all;
  } finally {
    await relay.close();
  }
}

function costsOf(measurement: Measurement, roundTrips: number): Costs {
  const { commits, fsyncs, statements, commands } = measurement.counts;
  const or = (count: number | null): number => count ?? Number.NaN;
  return {
    roundTrips,
    statements: or(statements),
    commits: or(commits),
    fsyncs: or(fsyncs),
    commands: or(commands),
    cpu: cpuOf(measurement),
  };
}
