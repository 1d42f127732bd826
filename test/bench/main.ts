/**
 * `npm run bench`: how many tasks per second the product does on this machine, what a task costs, and the same of its peers, side by
 * side. The contenders take turns, round by round, each round in another order, so that a noisy minute of the machine falls on all of
 * them. The bars are printed with what was measured; whether a miss matters is decided by who reads it.
 */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backends } from '../support/backends.js';
import { provideServers } from '../support/servers/provide.js';
import type { Round } from './bars.js';
import { contenders, type Contender, type Visit } from './contenders.js';
import { provideGrounds } from './grounds.js';
import { OTHER_SETTINGS } from './installation.js';
import { Bench, LONG_WARM_UP, type Measurement, type Observer } from './measure.js';
import { nodeOf } from './peers.js';
import { mustKnow, readOptions, type Options } from './options.js';
import { hotSpots } from './profile.js';
import { figures, withFigures } from './report.js';
import type { Site } from './site.js';
import { findings, runSmoke } from './smoke.js';
import { loadAverage, surroundings } from './surroundings.js';

const DOCUMENT = new URL('../../docs/benchmarks.md', import.meta.url);

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function observerOf(site: Site, label: string, isProfiling: boolean): Observer {
  return (mode) => {
    if (!isProfiling) return () => Promise.resolve();
    const stop = site.profile(`${label}${mode}`);
    return async () => {
      for (const { role, file } of await stop()) say(`\n${label}${mode}, ${role}: ${file}\n${hotSpots(file)}`);
    };
  };
}

/** One after the other; who fails in one is named, and goes on with the next. */
async function turn(contender: Contender, options: Options, failures: string[]): Promise<Record<string, Measurement>> {
  const measured: Record<string, Measurement> = {};
  for (const visit of contender.visits) {
    try {
      await stay(contender, visit, options, measured);
    } catch (error) {
      const [reason = ''] = (error as Error).message.split('\n', 1);
      say(`${contender.name} has failed: ${(error as Error).message}`);
      failures.push(`${contender.name}: ${reason}`);
    }
  }
  return measured;
}

async function stay({ name, pace }: Contender, visit: Visit, options: Options, measured: Record<string, Measurement>): Promise<void> {
  const { way, modes } = visit;
  const site = await visit.open();
  try {
    const bench = new Bench(site, options.tasks, pace, observerOf(site, `${name}-${way}`, options.profile));
    await bench.warmUp(modes, LONG_WARM_UP);
    for (const mode of modes) {
      const measurement = await bench.measure(mode);
      measured[`${way}${mode}`] = measurement;
      say(`${name}, ${way}${mode}: ${Math.round(measurement.perSecond)} tasks/s`);
    }
  } catch (error) {
    // What ends the measurement is the news; that the rest then does not stop in order is not.
    await site.close().catch(() => undefined);
    throw error;
  }
  await site.close();
}

async function run(options: Options): Promise<void> {
  const loadBefore = loadAverage();
  const profiles = options.profile ? mkdtempSync(join(tmpdir(), 'taskrunnerx-profiles-')) : null;
  const grounds = await provideGrounds(options, profiles, say);
  try {
    const { present, missing } = contenders(grounds);
    const isWanted = ({ name }: { name: string }): boolean => options.only?.includes(name) ?? true;
    const names = [...present, ...missing].map(({ name }) => name);
    mustKnow('--only', options.only, names);
    mustKnow('--measure', options.measure, measurementsOf(present));
    const taking = present.filter(isWanted).flatMap((contender) => measuring(contender, options.measure));
    const absent = missing.filter(isWanted);
    for (const { name, reason } of absent) say(`${name} is not measured: ${reason}`);
    if (taking.length === 0) throw new Error('Nobody is measured: none of them has what --measure names.');
    const rounds: Round[] = [];
    const failures: string[] = [];
    for (let count = 0; count < options.rounds; count += 1) {
      say(`round ${count + 1} of ${options.rounds}`);
      const round: Record<string, Record<string, Measurement>> = {};
      for (const contender of rotated(taking, count)) round[contender.name] = await turn(contender, options, failures);
      rounds.push(round);
    }
    const text = [
      await surroundings({ ...options, settings: OTHER_SETTINGS }, loadBefore, nodeOf(grounds.installed).version),
      figures({ contenders: taking, missing: absent, rounds, failures }),
    ].join('\n\n');
    process.stdout.write(`\n${text}\n`);
    // There are figures, but not those that were asked for.
    if (failures.length > 0) process.exitCode = 1;
    if (profiles !== null) say(`\nThe profiles are in ${profiles}. The figures above were slowed by taking them.`);
    else if (!options.print) writeFileSync(DOCUMENT, withFigures(readFileSync(DOCUMENT, 'utf8'), text));
  } finally {
    await grounds.release();
  }
}

async function smoke(): Promise<void> {
  const servers = await provideServers();
  try {
    const backend = backends().find(({ name }) => name !== 'sqlite');
    if (backend === undefined) throw new Error('It needs a database server and Redis.');
    const all = await runSmoke(backend, say);
    process.stdout.write(`${findings(all)}\n`);
    if (all.some(({ isWithin }) => !isWithin)) throw new Error('A task costs far more than what was recorded (test/bench/smoke.ts).');
  } finally {
    await servers.release();
  }
}

/** The contender for these measurements alone; nobody where it has none of them. */
function measuring(contender: Contender, names: readonly string[] | null): Contender[] {
  const visits = contender.visits
    .map((visit) => ({ ...visit, modes: visit.modes.filter((mode) => names?.includes(`${visit.way}${mode}`) ?? true) }))
    .filter(({ modes }) => modes.length > 0);
  return visits.length === 0 ? [] : [{ ...contender, visits }];
}

function measurementsOf(all: readonly Contender[]): string[] {
  return [...new Set(all.flatMap(({ visits }) => visits.flatMap(({ way, modes }) => modes.map((mode) => `${way}${mode}`))))];
}

function rotated<T>(all: readonly T[], by: number): T[] {
  const start = by % all.length;
  return [...all.slice(start), ...all.slice(0, start)];
}

try {
  const options = readOptions(process.argv.slice(2));
  await (options.smoke ? smoke() : run(options));
} catch (error) {
  say(`The bench has failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  process.exitCode = 1;
}
// What a contender that has failed left open keeps nobody waiting.
process.exit();
