/** What a task costs as something grows: finished rows, queued rows, payloads, worker processes. */
import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import type { Backend } from '../../support/backends.js';
import { until } from '../../support/until.js';
import { cpuOf } from '../bars.js';
import { Installation, type InstallationOptions } from '../installation.js';
import type { LoadGenerator } from '../load-generator.js';
import { QUEUE } from '../load-job.js';
import { Bench, type Measurement } from '../measure.js';
import type { Seconds } from '../site.js';
import { quantile } from '../statistics.js';
import { addCopies } from './fill.js';

const CONCURRENCY = 200;
const TASKS = 5_000;
const DRAINED = { warmUp: 1_000, measured: 5_000 };
const LOOKS = 20;
const PATIENCE = { deadlineMs: 120_000, everyMs: 5 };
const unobserved = () => () => Promise.resolve();

export interface Ground {
  readonly backend: Backend;
  readonly load: LoadGenerator;
  say(text: string): void;
}

/** Figures by what has grown, such as rows. */
export interface Step {
  readonly size: number;
  readonly perSecond: number;
  /** CPU seconds per 1,000 tasks: all, and the database's. */
  readonly cpu: number;
  readonly databaseCpu: number;
  /** Medians in ms: a page of the list, and the counts of the queues; null where nobody asked. */
  readonly listMs: number | null;
  readonly queuesMs: number | null;
}

/** With so many finished tasks in the tables, each with its attempt. */
export function finishedRows(ground: Ground, sizes: readonly number[]): Promise<Step[]> {
  return withInstallation(ground, { load: ground.load }, async (installation) => {
    const bench = new Bench(installation, TASKS, 1, unobserved);
    await bench.warmUp(['bulk']);
    return onTables(installation, async (connection) => {
      const steps: Step[] = [];
      for (const size of sizes) {
        await fill(connection, 'succeeded', size);
        // Meanwhile nobody has worked, for minutes in the end, and what the compiler had made of the code is gone.
        await bench.warmUp(['bulk']);
        const measured = await bench.measure('bulk');
        steps.push({ ...costs(size, measured), ...(await looks(installation)) });
        ground.say(`${size} finished rows: ${JSON.stringify(steps.at(-1))}`);
      }
      return steps;
    });
  });
}

/** With so many tasks waiting, at least 10,000: a worker claims and settles some of them, while the others wait. */
export async function queuedRows(ground: Ground, sizes: readonly number[]): Promise<Step[]> {
  const steps: Step[] = [];
  for (const size of sizes) {
    steps.push(await withInstallation(ground, { load: ground.load }, (installation) => drainSome(installation, size)));
    ground.say(`${size} queued rows: ${JSON.stringify(steps.at(-1))}`);
  }
  return steps;
}

export async function payloads(ground: Ground, sizes: readonly number[]): Promise<Step[]> {
  const steps: Step[] = [];
  for (const size of sizes) {
    const measured = await withInstallation(ground, { load: null }, async (installation) => {
      await new Bench(installation, TASKS, 1, unobserved).warmUp(['bulk']);
      return new Bench(installation, 2_000, 1, unobserved, size).measure('bulk');
    });
    steps.push(costs(size, measured));
    ground.say(`payloads of ${size} bytes: ${JSON.stringify(steps.at(-1))}`);
  }
  return steps;
}

export async function workers(ground: Ground, counts: readonly number[]): Promise<Step[]> {
  const steps: Step[] = [];
  for (const count of counts) {
    const measured = await withInstallation(ground, { load: null, workers: count }, async (installation) => {
      const bench = new Bench(installation, TASKS * 2, 1, unobserved);
      await bench.warmUp(['bulk']);
      return bench.measure('drain');
    });
    steps.push(costs(count, measured));
    ground.say(`${count} workers: ${JSON.stringify(steps.at(-1))}`);
  }
  return steps;
}

/** Resident memory in MiB by process: when all is ready, and after batches of 200. */
export function memory(ground: Ground): Promise<{ idle: Seconds; busy: Seconds }> {
  return withInstallation(ground, { load: ground.load }, async (installation) => {
    const idle = installation.memory();
    const bench = new Bench(installation, TASKS * 2, 1, unobserved);
    await bench.warmUp(['bulk', 'single']);
    return { idle, busy: (await bench.measure('bulk')).memory };
  });
}

export async function withInstallation<T>(
  { backend }: Pick<Ground, 'backend'>,
  options: Pick<InstallationOptions, 'load' | 'workers'>,
  work: (installation: Installation) => Promise<T>,
): Promise<T> {
  const installation = await Installation.start(backend, { concurrency: CONCURRENCY, profiles: null, ...options });
  let result: T;
  try {
    result = await work(installation);
  } catch (error) {
    // What ends the measurement is the news; that the rest then does not stop in order is not.
    await installation.close().catch(() => undefined);
    throw error;
  }
  await installation.close();
  return result;
}

async function drainSome(installation: Installation, size: number): Promise<Step> {
  await new Bench(installation, TASKS, 1, unobserved).warmUp(['bulk']);
  await installation.stopWorking();
  await installation.submit({ firstNumber: 1, tasks: 1, tasksPerRequest: 1, connections: 1, requestsPerSecond: null });
  return onTables(installation, async (connection) => {
    await connection.query(`UPDATE tasks SET phase = 'unrung', rung_at = 0 WHERE phase = 'live'`);
    await fill(connection, 'unrung', size);
    const looked = await looks(installation);
    const first = installation.arrivals.count;
    const begun = (count: number) => until(() => installation.arrivals.count - first >= count, { ...PATIENCE, what: `${count} handlers` });
    await installation.startWorking();
    await begun(DRAINED.warmUp);
    const [from, startedAt, before] = [installation.arrivals.count, performance.now(), installation.processorTime()];
    await begun(from - first + DRAINED.measured);
    const [tasks, elapsedMs, after] = [installation.arrivals.count - from, performance.now() - startedAt, installation.processorTime()];
    const cpu = Object.fromEntries(Object.entries(after).map(([part, all]) => [part, perThousand(all, before[part], tasks)]));
    const measured = { perSecond: (tasks * 1_000) / elapsedMs, cpu };
    return { ...costs(size, measured), ...looked };
  });
}

function perThousand(after: number | null, before: number | null | undefined, tasks: number): number | null {
  return after === null || before === null || before === undefined ? null : ((after - before) * 1_000) / tasks;
}

/** Copies a task of this phase until there are so many. */
async function fill(connection: Connection, phase: 'succeeded' | 'unrung', size: number): Promise<void> {
  const [rows] = await connection.query<(RowDataPacket & { id: Buffer; count: number })[]>(
    'SELECT MIN(id) AS id, COUNT(*) AS count FROM tasks WHERE phase = ? AND queue = ?',
    [phase, QUEUE],
  );
  const { id, count } = rows[0]!;
  if (count < size) await addCopies(connection, id, size - count, Date.now());
  await connection.query('ANALYZE TABLE tasks, attempts');
}

async function onTables<T>(installation: Installation, work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await createConnection({ uri: installation.addresses.database });
  try {
    return await work(connection);
  } finally {
    await connection.end();
  }
}

async function looks({ client }: Installation): Promise<Pick<Step, 'listMs' | 'queuesMs'>> {
  return { listMs: await medianMs(() => client.list({ limit: 50 })), queuesMs: await medianMs(() => client.queues()) };
}

async function medianMs(ask: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  // The first ones let the compiler of the process see the code.
  for (let count = 0; count < LOOKS; count += 1) await ask();
  for (let count = 0; count < LOOKS; count += 1) {
    const startedAt = performance.now();
    await ask();
    times.push(performance.now() - startedAt);
  }
  return quantile(times, 0.5);
}

function costs(size: number, measured: Pick<Measurement, 'perSecond' | 'cpu'>): Step {
  const databaseCpu = measured.cpu['database'] ?? Number.NaN;
  return { size, perSecond: measured.perSecond, cpu: cpuOf(measured), databaseCpu, listMs: null, queuesMs: null };
}
