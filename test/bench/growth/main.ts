/**
 * `npm run bench:growth`: what a task costs as the installation grows, as tables and plots. Curves are to be flat; where one is not, the
 * page says where it bends. The measurements follow each other on one machine, so that only what differs much means anything.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { backends } from '../../support/backends.js';
import { provideServers } from '../../support/servers/provide.js';
import { OTHER_SETTINGS } from '../installation.js';
import { LoadGenerator } from '../load-generator.js';
import { mustKnow, namesIn, whole } from '../options.js';
import { short, table, withFigures } from '../report.js';
import { loadAverage, surroundings } from '../surroundings.js';
import { ofBullMq, ofProduct } from './backlog.js';
import { finishedRows, memory, payloads, queuedRows, workers, type Ground, type Step } from './curves.js';
import { disks } from './disks.js';
import { chart, type Chart } from './plot.js';

const DOCUMENT = new URL('../../../docs/growth.md', import.meta.url);
const PLOTS = new URL('../../../docs/plots/', import.meta.url);
const ROWS = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
const QUEUED = [10_000, 30_000, 100_000, 1_000_000];
/** A payload may have 64 KiB, with all that is in it. */
const BYTES = [200, 1_000, 4_000, 16_000, 65_000];
const WORKERS = [1, 2, 4, 8];
/** What is measured in another way than by a curve. */
const OTHERS = ['disk', 'memory', 'backlog'];

interface Curve {
  readonly file: string;
  readonly title: string;
  readonly x: string;
  readonly steps: (ground: Ground, upTo: readonly number[]) => Promise<Step[]>;
  readonly sizes: readonly number[];
  /** Which `--max` bounds. */
  readonly isOfRows: boolean;
}

const CURVES: readonly Curve[] = [
  { file: 'finished', title: 'Finished tasks in the tables', x: 'finished tasks', steps: finishedRows, sizes: ROWS, isOfRows: true },
  {
    file: 'queued',
    title: 'Tasks waiting, while some are claimed and settled',
    x: 'queued tasks',
    steps: queuedRows,
    sizes: QUEUED,
    isOfRows: true,
  },
  { file: 'payload', title: 'Size of a payload', x: 'bytes', steps: payloads, sizes: BYTES, isOfRows: false },
  { file: 'workers', title: 'Worker processes that drain a backlog', x: 'processes', steps: workers, sizes: WORKERS, isOfRows: false },
];

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function plotOf({ title, x }: Curve, steps: readonly Step[]): Chart {
  const line = (name: string, of: (step: Step) => number) => ({ name, points: steps.map((step) => [step.size, of(step)] as const) });
  return {
    title,
    x,
    y: 'CPU-s per 1,000 tasks',
    lines: [line('all', ({ cpu }) => cpu), line('database', ({ databaseCpu }) => databaseCpu)],
  };
}

function tableOf({ x }: Curve, steps: readonly Step[]): string {
  const asked = steps.some(({ listMs }) => listMs !== null);
  const head = [x, 'tasks/s', 'CPU-s per 1,000', 'of it database', ...(asked ? ['list of 50, ms', 'queues, ms'] : [])];
  const rows = steps.map(({ size, perSecond, cpu, databaseCpu, listMs, queuesMs }) => [
    size.toLocaleString('en-US'),
    ...[perSecond, cpu, databaseCpu, ...(asked ? [listMs ?? Number.NaN, queuesMs ?? Number.NaN] : [])].map(short),
  ]);
  return table(head, rows);
}

/** Plots go to `plots`, if anywhere. */
async function grow(ground: Ground, only: readonly string[] | null, maximum: number, plots: URL | null): Promise<string[]> {
  const isWanted = (name: string): boolean => only?.includes(name) ?? true;
  const parts: string[] = [];
  if (plots !== null) mkdirSync(plots, { recursive: true });
  for (const curve of CURVES.filter(({ file }) => isWanted(file))) {
    const steps = await curve.steps(
      ground,
      curve.sizes.filter((size) => !curve.isOfRows || size <= maximum),
    );
    if (plots !== null) writeFileSync(new URL(`${curve.file}.svg`, plots), chart(plotOf(curve, steps)));
    parts.push(`### ${curve.title}`, tableOf(curve, steps), `![${curve.title}](plots/${curve.file}.svg)`);
  }
  if (isWanted('disk')) {
    const { figures, missing } = await disks(ground.backend, say);
    const rows = figures.map(({ name, isSlow, bulk, single }) => [name, isSlow ? '1 ms' : 'as it is', short(bulk), short(single)]);
    parts.push(
      '### A disk that takes 1 ms for a sync',
      table(['contender', 'sync', 'batches of 200, tasks/s', 'single, tasks/s'], rows),
      ...missing,
    );
  }
  if (isWanted('memory')) {
    const { idle, busy } = await memory(ground);
    const rows = Object.keys(idle).map((part) => [part, short(idle[part] ?? Number.NaN), short(busy[part] ?? Number.NaN)]);
    parts.push('### Memory of the processes, in MiB', table(['process', 'idle', 'after batches of 200'], rows));
  }
  if (isWanted('backlog')) {
    const bullMq = await ofBullMq().then(short, (error: unknown) => `not measured: ${String(error)}`);
    const rows = [
      ['Task Runner X', short(await ofProduct(ground))],
      ['BullMQ', bullMq],
    ];
    parts.push('### Memory of Redis for a backlog of 20,000', table(['contender', 'bytes per task'], rows));
  }
  return parts;
}

async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { max: { type: 'string', default: '1000000' }, only: { type: 'string' }, print: { type: 'boolean', default: false } },
  });
  const maximum = whole('--max', values.max, 1_000, 10_000_000);
  const only = namesIn(values.only);
  mustKnow('--only', only, [...CURVES.map(({ file }) => file), ...OTHERS]);
  const loadBefore = loadAverage();
  const servers = await provideServers(['--innodb-buffer-pool-size=1G', '--innodb-log-file-size=512M']);
  const load = new LoadGenerator();
  try {
    const backend = backends().find(({ name }) => name !== 'sqlite');
    if (backend === undefined) throw new Error('It needs a database server and Redis.');
    const isWritten = !values.print && only === null;
    const parts = await grow({ backend, load, say }, only, maximum, isWritten ? PLOTS : null);
    const text = [await surroundings({ rounds: 1, concurrency: 200, settings: OTHER_SETTINGS }, loadBefore), ...parts].join('\n\n');
    process.stdout.write(`\n${text}\n`);
    if (isWritten) writeFileSync(DOCUMENT, withFigures(readFileSync(DOCUMENT, 'utf8'), text, 'growth'));
  } finally {
    load.close();
    await servers.release();
  }
}

try {
  await run(process.argv.slice(2));
} catch (error) {
  say(`The growth bench has failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  process.exitCode = 1;
}
