/** Who is served from the backlog while there are more tasks than slots, for as long as that lasts. */
import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Loops, SystemClock } from '@app/lifecycle';
import { LANES, type Lane } from '@app/queue';
import type { Backlog } from '@app/tasks';
import { createLogger } from '@app/telemetry';
import { FixedLimits } from '../../../test/support/fixed-limits.js';
import { until } from '../../../test/support/until.js';
import { Drawer } from './drawer.js';
import { Sharing, type Flow } from './sharing.js';

const logger = createLogger({ level: 'silent', format: 'json', role: 'test' });
const SERVICES = 400;

/** Every place has more than anybody can take, and one slot is free at a time. Returns how often each place was served. */
async function serve(places: readonly Backlog[], limits = new FixedLimits()): Promise<Map<string, number>> {
  const served = new Map<string, number>();
  let total = 0;
  let free = 1;
  let resolve: () => void = () => undefined;
  const enough = new Promise<void>((done) => {
    resolve = done;
  });
  const slots = {
    get free() {
      return free;
    },
    reserve(wanted: number) {
      const got = Math.min(wanted, free);
      free -= got;
      return got;
    },
  };
  const intake = {
    slots,
    ready: () => {
      free = 1;
      return Promise.resolve(true);
    },
    isClosed: () => false,
    takeBacklog: ({ queue, lane, tenant }: Backlog) => {
      const key = `${lane} ${queue} ${tenant}`;
      served.set(key, (served.get(key) ?? 0) + 1);
      total += 1;
      if (total === SERVICES) resolve();
      return Promise.resolve(1);
    },
  };
  const claimer = { backlog: () => Promise.resolve([...places]) };
  const loops = new Loops();
  const drawer = new Drawer(
    { workerQueues: '*', workerPollMs: 50 },
    claimer,
    intake,
    new Sharing(limits),
    new SystemClock(),
    loops,
    logger,
  );
  drawer.start();
  await enough;
  await drawer.stop();
  return served;
}

const places = (queues: number, tenants: number, lanes: readonly Lane[] = LANES): Backlog[] =>
  Array.from({ length: queues }, (_, queue) =>
    lanes.flatMap((lane) =>
      Array.from({ length: tenants }, (__, tenant) => ({ queue: `queue-${queue}`, lane, tenant: `tenant-${tenant}` })),
    ),
  ).flat();

describe('the backlog under more tasks than slots', () => {
  it.each([
    [1, 2],
    [3, 2],
    [2, 2],
    [2, 4],
    [1, 5],
  ])('serves every tenant and queue of every lane alike: %i queues, %i tenants', async (queues, tenants) => {
    const served = await serve(places(queues, tenants));
    for (const lane of LANES) {
      const counts = places(queues, tenants, [lane]).map(({ queue, tenant }) => served.get(`${lane} ${queue} ${tenant}`) ?? 0);
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    }
  });

  it('serves tenants by their weights', async () => {
    const limits = new FixedLimits();
    for (const [tenant, weight] of [1, 4, 3].entries()) limits.set(`tenant-${tenant}`, { weight });
    const served = await serve(places(1, 3, ['normal']), limits);
    const counts = [0, 1, 2].map((tenant) => served.get(`normal queue-0 tenant-${tenant}`) ?? 0);
    expect(counts.map((count) => Math.round((count * 8) / SERVICES))).toEqual([1, 4, 3]);
  });

  it('serves high lanes more often than low ones, and low ones all the same', async () => {
    const served = await serve(places(1, 1));
    const [high = 0, normal = 0, low = 0] = LANES.map((lane) => served.get(`${lane} queue-0 tenant-0`));
    expect(high).toBeGreaterThan(normal);
    expect(normal).toBeGreaterThan(low);
    expect(low).toBeGreaterThanOrEqual(Math.floor(SERVICES / 8) - 1);
  });
});

describe('a worker with more free slots than are dealt at once', () => {
  it('gives those that are to the lane whose turn it is, where that has enough', async () => {
    const draws: string[][] = [];
    const intake = {
      slots: { free: 1_000, reserve: (wanted: number) => wanted },
      ready: () => {
        draws.push([]);
        return Promise.resolve(draws.length <= 8);
      },
      isClosed: () => false,
      takeBacklog: ({ lane }: Backlog, reserved: number) => {
        draws.at(-1)!.push(`${lane} ${reserved}`);
        return Promise.resolve(reserved);
      },
    };
    const claimer = { backlog: () => Promise.resolve(places(1, 1)) };
    const loops = new Loops();
    const config = { workerQueues: '*', workerPollMs: 600_000 } as const;
    const drawer = new Drawer(config, claimer, intake, new Sharing(new FixedLimits()), new SystemClock(), loops, logger);
    drawer.start();
    await until(() => draws.length > 8, { what: 'eight draws' });
    await drawer.stop();
    const turns = ['high', 'normal', 'high', 'high', 'normal', 'high', 'low', 'high'];
    expect(draws.slice(0, 8)).toEqual(turns.map((lane) => [`${lane} 500`]));
  });
});

describe('a backlog of more places than one look takes in', () => {
  let stop: () => Promise<void> = () => Promise.resolve();

  afterEach(() => stop());

  /** A drawer whose pauses take longer than a test may; returns what it has drawn and how many looks it has taken so far. */
  const watch = (all: readonly Backlog[], isClosed: (place: Flow) => boolean): { drawn: Backlog[]; looks: number } => {
    const seen = { drawn: [] as Backlog[], looks: 0 };
    const claimer = {
      backlog: (_queues: unknown, most: number, after: Backlog | null = null) => {
        seen.looks += 1;
        const from = after === null ? 0 : all.indexOf(after) + 1;
        return Promise.resolve(all.slice(from, from + most));
      },
    };
    const intake = {
      slots: { free: 1, reserve: (slots: number) => Math.min(slots, 1) },
      ready: () => Promise.resolve(true),
      isClosed,
      takeBacklog: (place: Backlog) => {
        seen.drawn.push(place);
        return Promise.resolve(1);
      },
    };
    const config = { workerQueues: '*', workerPollMs: 600_000 } as const;
    const drawer = new Drawer(config, claimer, intake, new Sharing(new FixedLimits()), new SystemClock(), new Loops(), logger);
    drawer.start();
    stop = () => drawer.stop();
    return seen;
  };

  it('reaches what stands behind pages that are closed without a pause, and comes back to it', async () => {
    const all = places(1, 600, ['normal']);
    const last = all.at(-1);
    const seen = watch(all, (place) => place !== last);
    await until(() => seen.drawn.length >= 3, { what: 'what stands behind' });
    expect(seen.drawn.every((place) => place === last)).toBe(true);
  });

  it.each([
    [1, 100],
    [3, 600],
    [16, 256 * 40],
  ])('pauses after %i looks where all of %i places are closed', async (looks, tenants) => {
    const seen = watch(places(1, tenants, ['normal']), () => true);
    await until(() => seen.looks >= looks, { what: 'the looks' });
    // Time for one more, if it did not pause.
    for (let turn = 0; turn < 50; turn += 1) await setImmediate();
    expect(seen.looks).toBe(looks);
  });
});
