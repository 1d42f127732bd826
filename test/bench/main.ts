/**
 * `npm run bench`: how many tasks per second this machine does, and what a task costs, from the first POST to the recorded outcome.
 * The installations take turns, round by round, so that a noisy minute of the machine falls on all of them. It judges nothing: what
 * is too slow is decided by who reads it.
 */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backends, type Backend } from '../support/backends.js';
import { provideServers } from '../support/servers/provide.js';
import { Installation } from './installation.js';
import { LoadGenerator } from './load-generator.js';
import { Bench, MODES, type Measurement, type Mode, type Observer } from './measure.js';
import { readOptions, type Options } from './options.js';
import { hotSpots, startProfiles } from './profile.js';
import { figures, withFigures, type Series } from './report.js';
import { loadAverage, surroundings } from './surroundings.js';

const DOCUMENT = new URL('../../docs/benchmarks.md', import.meta.url);

const NAMES: Readonly<Record<Backend['name'], string>> = {
  sqlite: 'embedded (SQLite, `ROLE=all`)',
  mariadb: 'MariaDB + Redis, one process per role',
  mysql: 'MySQL + Redis, one process per role',
};

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function round(backend: Backend, options: Options, profiles: string | null, load: LoadGenerator): Promise<Record<Mode, Measurement>> {
  const installation = await Installation.start(backend, { concurrency: options.concurrency, profiles });
  const observe: Observer = (mode) => {
    const stop = profiles === null ? () => Promise.resolve([]) : startProfiles(installation, `${backend.name}-${mode}`);
    return async () => {
      for (const { role, file } of await stop()) say(`\n${mode}, ${role}: ${file}\n${hotSpots(file)}`);
    };
  };
  try {
    const bench = new Bench(installation, load, options.tasks, observe);
    await bench.warmUp();
    const measured: Partial<Record<Mode, Measurement>> = {};
    for (const mode of MODES) {
      measured[mode] = await bench.measure(mode);
      say(`${backend.name}, ${mode}: ${Math.round(measured[mode].perSecond)} tasks/s`);
    }
    await installation.close();
    return measured as Record<Mode, Measurement>;
  } catch (error) {
    // What ends the measurement is the news; that the rest then does not stop in order is not.
    await installation.close().catch(() => undefined);
    throw error;
  }
}

async function run(options: Options): Promise<void> {
  const loadBefore = loadAverage();
  const servers = await provideServers();
  const load = new LoadGenerator();
  const profiles = options.profile ? mkdtempSync(join(tmpdir(), 'taskrunnerx-profiles-')) : null;
  try {
    const series = backends().map((backend) => ({ backend, rounds: [] as Record<Mode, Measurement>[] }));
    for (let count = 1; count <= options.rounds; count += 1) {
      say(`round ${count} of ${options.rounds}`);
      for (const { backend, rounds } of series) rounds.push(await round(backend, options, profiles, load));
    }
    const named = series.map(({ backend, rounds }): Series => ({ name: NAMES[backend.name], rounds }));
    const text = `${await surroundings(options, loadBefore)}\n\n${figures(named)}`;
    process.stdout.write(`\n${text}\n`);
    if (profiles !== null) say(`\nThe profiles are in ${profiles}. The figures above were slowed by taking them.`);
    else if (!options.print) writeFileSync(DOCUMENT, withFigures(readFileSync(DOCUMENT, 'utf8'), text));
  } finally {
    load.close();
    await servers.release();
  }
}

try {
  await run(readOptions(process.argv.slice(2)));
} catch (error) {
  say(`The bench has failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  process.exitCode = 1;
}
