/**
 * `npm run fairness`: how long a tenant's ten tasks wait beside another's 100,000, how slots follow weights, and what a running limit
 * does and costs. Two workers of ten slots on MariaDB or MySQL and Redis; every handler sleeps for a while, so slots are what is
 * scarce and not the processor. It judges nothing; `-- --print` leaves docs/fairness.md as it is.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { backends, type Backend } from '../support/backends.js';
import { provideServers } from '../support/servers/provide.js';
import { until } from '../support/until.js';
import { CONCURRENCY, SharedInstallation, type Limit } from './fairness-installation.js';
import { table, withFigures } from './report.js';
import { quantile } from './statistics.js';
import { loadAverage, surroundings } from './surroundings.js';

const DOCUMENT = new URL('../../docs/fairness.md', import.meta.url);
const HEAVY = 100_000;
const TASK_MS = 50;
/** The light tenant's ten tasks, so often, at this distance in ms. */
const LIGHT = { tasks: 10, rounds: 10, everyMs: 2_000 };
const IDLE_MS = 20_000;
const WEIGHT_MS = 20_000;
const RUNNING_LIMIT = 5;
const SAMPLE_MS = 50;
const PATIENCE = { deadlineMs: 300_000, everyMs: 100 };

type Body = (installation: SharedInstallation) => Promise<string[][]>;

async function on(backend: Backend, limits: readonly Limit[], env: Readonly<Record<string, string>>, body: Body): Promise<string[][]> {
  const installation = await SharedInstallation.start(backend, limits, env);
  try {
    return await body(installation);
  } finally {
    await installation.close();
  }
}

/** Ten tasks of the light tenant again and again; then how long they waited. */
async function lightWaits(installation: SharedInstallation, title: string): Promise<string[]> {
  for (let round = 0; round < LIGHT.rounds; round += 1) {
    await installation.submit('light', LIGHT.tasks, TASK_MS);
    await pause(LIGHT.everyMs);
  }
  const tasks = LIGHT.tasks * LIGHT.rounds;
  await until(async () => (await installation.count('light', 'succeeded')) === tasks, {
    ...PATIENCE,
    what: 'the last of the light tenant',
  });
  const waits = await installation.waits('light');
  return [title, ...[0.5, 0.95, 1].map((share) => String(Math.round(quantile(waits, share))))];
}

const alone: Body = async (installation) => [await lightWaits(installation, 'nobody else')];

/** `keepComing`: the heavy tenant goes on submitting meanwhile. */
const beside = (title: string, keepComing: boolean): Body => {
  return async (installation) => {
    await installation.submit('heavy', HEAVY, TASK_MS);
    const over = new AbortController();
    const coming = (async () => {
      while (keepComing && !over.signal.aborted) {
        await installation.submit('heavy', 100, TASK_MS);
        await pause(100);
      }
    })();
    const row = await lightWaits(installation, title);
    over.abort();
    await coming;
    const left = await installation.count('heavy', 'queued');
    if (left === 0) throw new Error('The backlog was gone before the light tenant was done: nothing was measured.');
    return [row];
  };
};

const weights: Body = async (installation) => {
  await Promise.all(['one', 'four'].map((tenant) => installation.submit(tenant, HEAVY / 5, TASK_MS)));
  const counted = async (): Promise<number[]> => Promise.all(['one', 'four'].map((tenant) => installation.count(tenant, 'succeeded')));
  const [oneBefore = 0, fourBefore = 0] = await counted();
  await pause(WEIGHT_MS);
  const [oneAfter = 0, fourAfter = 0] = await counted();
  const [one, four] = [oneAfter - oneBefore, fourAfter - fourBefore];
  return [['1 : 4', String(one), String(four), `1 : ${(four / one).toFixed(2)}`]];
};

const limited: Body = async (installation) => {
  await installation.submit('heavy', HEAVY / 10, TASK_MS);
  const over = new AbortController();
  let [samples, most] = [0, 0];
  const sampling = (async () => {
    while (!over.signal.aborted) {
      most = Math.max(most, await installation.count('heavy', 'running'));
      samples += 1;
      await pause(SAMPLE_MS);
    }
  })();
  const [, ...waits] = await lightWaits(installation, '');
  over.abort();
  await sampling;
  const done = await installation.spans('heavy');
  return [[String(RUNNING_LIMIT), String(most), String(samples), String(mostAtOnce(done)), String(done.length), ...waits]];
};

/** Statements of all processes together per second while nothing can be done. */
async function statementsPerSecond(installation: SharedInstallation): Promise<string> {
  const before = await installation.statements();
  await pause(IDLE_MS);
  return (((await installation.statements()) - before) / (IDLE_MS / 1_000)).toFixed(1);
}

const idle: Body = async (installation) => {
  const quiet = await statementsPerSecond(installation);
  await installation.submit('heavy', 1, 3_600_000);
  await until(async () => (await installation.count('heavy', 'running')) === 1, { ...PATIENCE, what: 'the one to run' });
  await installation.submit('heavy', 1_000, TASK_MS);
  await pause(LIGHT.everyMs);
  return [[quiet, await statementsPerSecond(installation)]];
};

/** From the attempts. An end comes before a beginning of the same millisecond. */
function mostAtOnce(spans: readonly { from: number; to: number }[]): number {
  const moves = spans.flatMap(({ from, to }) => [
    { at: Number(from), change: 1 },
    { at: Number(to), change: -1 },
  ]);
  moves.sort((a, b) => a.at - b.at || a.change - b.change);
  let now = 0;
  return moves.reduce((most, { change }) => Math.max(most, (now += change)), 0);
}

async function measure(backend: Backend): Promise<string> {
  const waits = [
    ...(await on(backend, [], {}, alone)),
    ...(await on(backend, [], {}, beside('100,000 of another tenant', false))),
    ...(await on(backend, [], {}, beside('100,000 of another tenant, and 100 more every 100 ms or so', true))),
    ...(await on(
      backend,
      [],
      { DOORBELL_PATIENCE_MS: '60000' },
      beside('the same, with a door that is never cleared (`DOORBELL_PATIENCE_MS=60000`)', true),
    )),
  ];
  const shares = await on(
    backend,
    [
      { tenant: 'one', name: 'weight', value: 1 },
      { tenant: 'four', name: 'weight', value: 4 },
    ],
    {},
    weights,
  );
  const within = await on(backend, [{ tenant: 'heavy', name: 'tasks.running', value: RUNNING_LIMIT }], {}, limited);
  const quiet = await on(backend, [{ tenant: 'heavy', name: 'tasks.running', value: 1 }], {}, idle);
  return [
    `Waiting time of ${LIGHT.tasks * LIGHT.rounds} tasks, ten at a time, from submission to start, in ms:`,
    table(['beside', 'p50', 'p95', 'max'], waits),
    `Tasks ended in ${WEIGHT_MS / 1_000} s, of two tenants that have more than enough:`,
    table(['weights', 'of the one', 'of the other', 'ratio'], shares),
    'A tenant with a backlog and a running limit, beside the ten tasks of another:',
    table(
      ['limit', 'most running, sampled', 'samples', 'most at once, by the attempts', 'ended', 'the other waits, p50', 'p95', 'max'],
      within,
    ),
    'Statements per second at the database, of four processes:',
    table(['nothing to do', 'one running and 1,000 waiting of a tenant whose limit is 1'], quiet),
  ].join('\n\n');
}

async function run(print: boolean): Promise<void> {
  const loadBefore = loadAverage();
  const servers = await provideServers();
  try {
    const backend = backends().find(({ name }) => name !== 'sqlite');
    if (backend === undefined) throw new Error('It needs a database server and Redis.');
    const figures = await measure(backend);
    const text = `${await surroundings({ rounds: 1, concurrency: CONCURRENCY, settings: 'everything else is the default' }, loadBefore)}\n\n${figures}`;
    process.stdout.write(`${text}\n`);
    if (!print) writeFileSync(DOCUMENT, withFigures(readFileSync(DOCUMENT, 'utf8'), text, 'fairness'));
  } finally {
    await servers.release();
  }
}

try {
  const { values } = parseArgs({ options: { print: { type: 'boolean', default: false } } });
  await run(values.print);
} catch (error) {
  process.stderr.write(`The measurement has failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
}
