/**
 * The main job: thousands of mixed tasks, submitted one by one and in batches by many clients at once, all end as they must,
 * and each was executed as often as it should have been, counted by its side effects. The API and the tables agree, the streams
 * are empty afterwards, and nobody logged an error.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { backends, type Backend } from '../support/backends.js';
import { useFleet } from '../support/fleet.js';
import { Installation } from '../support/installation.js';
import { Journal } from '../support/journal.js';
import { removeDirectory, temporaryDirectory } from '../support/reaper.js';
import { leftInStreams } from '../support/streams.js';
import { statesInTable } from '../support/tables.js';
import { until } from '../support/until.js';
import type { WireNewTask, WireTask } from '../support/wire.js';

const TASKS = Number(process.env['TEST_MAIN_JOB_TASKS'] ?? 10_000);
const CLIENTS = 50;
const BATCH = 100;
const HOUR_MS = 3_600_000;

/** What becomes of a task: its final state, and how often its handler must have been started. */
interface Expected {
  state: WireTask['state'];
  starts: number;
  reason?: string;
}

interface Order {
  task: WireNewTask;
  expected: Expected;
  /** Cancel it right after its submission. */
  cancel?: boolean;
}

/** The mix, by position, so that every run has the same. */
function order(index: number): Order {
  const priority = [0, 0, 5, -5][index % 4];
  const once: Expected = { state: 'succeeded', starts: 1 };
  switch (index % 10) {
    case 0:
    case 1:
    case 2:
      return { task: { name: 'counted.echo', payload: { index }, priority }, expected: once };
    case 3:
    case 4:
      return { task: { name: 'counted.sha256', payload: `text ${index}`, priority }, expected: once };
    case 5:
      return { task: { name: 'counted.echo', payload: { index }, delayMs: 50 + (index % 1_000), priority }, expected: once };
    case 6: {
      const failures = 1 + (index % 3);
      return { task: { name: 'counted.flaky', payload: { failures }, priority }, expected: { state: 'succeeded', starts: failures + 1 } };
    }
    case 7:
      return { task: { name: 'counted.hopeless', priority }, expected: { state: 'failed', starts: 1, reason: 'permanent_error' } };
    case 8:
      return { task: { name: 'counted.echo', delayMs: HOUR_MS, priority }, expected: { state: 'cancelled', starts: 0 }, cancel: true };
    default:
      return { task: { name: 'counted.echo', payload: { index }, queue: `team-${index % 3}`, tags: ['tagged'] }, expected: once };
  }
}

describe.each(backends())('the main job on $name', (backend: Backend) => {
  const directory = temporaryDirectory('main-job');
  const journal = new Journal(directory);
  const fleet = useFleet();
  let installation: Installation;

  beforeAll(async () => {
    installation = await Installation.start({ fleet, backend, handlersDir: journal.handlersDir });
  }, 60_000);
  afterAll(() => {
    removeDirectory(directory);
  });

  it(`runs ${TASKS} mixed tasks of ${CLIENTS} clients to their right ends, each the right number of times`, async () => {
    const client = installation.client();
    const expected = new Map<string, Expected>();
    let next = 0;
    const submitSingle = async ({ task, expected: end, cancel }: Order): Promise<void> => {
      const { id } = await client.submit(task);
      expected.set(id, end);
      if (cancel === true) await client.cancel(id);
    };
    const submitBatch = async (orders: Order[]): Promise<void> => {
      const { items } = await client.submitBatch(orders.map(({ task }) => task));
      await Promise.all(
        items.map(async (item, position) => {
          const { expected: end, cancel } = orders[position] as Order;
          if (item.task === undefined) throw new Error(`refused: ${JSON.stringify(item.problem)}`);
          expected.set(item.task.id, end);
          if (cancel === true) await client.cancel(item.task.id);
        }),
      );
    };
    const work = async (batches: boolean): Promise<void> => {
      while (next < TASKS) {
        const from = next;
        next = Math.min(TASKS, next + (batches ? BATCH : 1));
        const orders = Array.from({ length: next - from }, (_, offset) => order(from + offset));
        if (batches) await submitBatch(orders);
        else await Promise.all(orders.map(submitSingle));
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, (_, index) => work(index % 5 === 0)));
    expect(expected.size).toBe(TASKS);

    await until(async () => (await unfinished(installation)) === 0, { deadlineMs: 120_000, everyMs: 200, what: 'all tasks to end' });
    const seen = new Map((await client.listAll()).map((task) => [task.id, task]));
    const starts = journal.starts();
    const wrong = [...expected].flatMap(([id, end]) => {
      const task = seen.get(id);
      const found = { state: task?.state, starts: starts.get(id) ?? 0, ...(end.reason === undefined ? {} : { reason: task?.['reason'] }) };
      return JSON.stringify(found) === JSON.stringify(end) ? [] : [{ id, name: task?.name, expected: end, found }];
    });
    expect(wrong.slice(0, 10)).toEqual([]);
    expect(seen.size).toBe(TASKS);
    expect(starts.size).toBe([...expected.values()].filter((end) => end.starts > 0).length);
    for (const task of seen.values()) expect(task.crashes).toBe(0);
  }, 240_000);

  it('leaves nothing in the streams', async () => {
    const place = installation.env;
    if (place['REDIS_URL'] === undefined) {
      expect(backend.name).toBe('sqlite');
      return;
    }
    const { REDIS_URL: url, REDIS_KEY_PREFIX: prefix = '' } = place;
    await until(async () => (await leftInStreams(url, prefix)) === 0, { what: 'the streams to be empty' });
  });

  it('shows through the API what the tables hold', async () => {
    const shown: Record<string, number> = {};
    for (const { state } of await installation.client().listAll()) shown[state] = (shown[state] ?? 0) + 1;
    for (const state of Object.keys(shown)) {
      const filtered = await installation.client().listAll({ state });
      expect(filtered).toHaveLength(shown[state] ?? 0);
    }
    const apps = new Set([installation.api, installation.scheduler, ...installation.workers]);
    const exits = await Promise.all([...apps].map((app) => app.stop()));
    expect(exits).toEqual(exits.map(() => ({ code: 0, signal: null })));
    expect(await statesInTable(installation.env['DATABASE_URL'] ?? '', 'acme')).toEqual(shown);
  }, 60_000);
});

async function unfinished(installation: Installation): Promise<number> {
  const queues = await installation.client().queues();
  return queues.reduce((sum, { depth }) => sum + depth.scheduled + depth.queued + depth.running + depth.retrying, 0);
}
