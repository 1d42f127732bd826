/**
 * For every failpoint: which role dies there, what brings it there, and what a death there may cost. The table is complete by its
 * type: a failpoint without a scene does not compile.
 */
import { sql } from '@app/database';
import { pause, type FailpointName } from '@app/lifecycle';
import type { App } from '../../support/process.js';
import { abandoned, aged, bulk, keyed, operated, phantoms, silent, tasks, type Feeder } from './feed.js';
import type { Place } from './place.js';

export interface Scene {
  readonly role: 'api' | 'worker' | 'scheduler';
  readonly env: Readonly<Record<string, string>>;
  readonly feed: Feeder;
  /** The pass at which it dies is drawn from 1 to this. */
  readonly passes: number;
  /** What else must happen to it, from the moment it is up. */
  readonly disturb?: (place: Place, app: App) => Promise<void>;
  /** How many attempts one death may leave as lost, and how many tasks it may make a handler run once more. */
  readonly lost: number;
  readonly again: number;
  /** Failures that each task has had in the end, by its handler's own doing. */
  readonly failures: number;
}

type Cost = readonly [lost: number, again: number];

const NOTHING: Cost = [0, 0];
const ECHO = tasks({ name: 'counted.echo' });
const LOOK_MS = 50;
/** More than one, where a worker must be at work while something happens to it. */
const HANDS = 3;
/** A claim for so many slots leaves a note. Smaller ones leave none, and what they took may have begun already. */
const NOTED_HANDS = 40;
const UNNOTED_MAX = 15;
/** From the mark to its next heartbeat a worker does not know that it is lost: it goes on claiming, and loses that too. */
const TWICE: Cost = [2 * HANDS, 2 * HANDS];
const QUICK_SCHEDULER = {
  SCHEDULER_PROMOTE_MS: '50',
  SCHEDULER_EXPIRE_MS: '100',
  SCHEDULER_SWEEP_MS: '200',
  SCHEDULER_RECONCILE_MS: '200',
  SCHEDULER_PRUNE_MS: '1000',
  SCHEDULER_BULK_MS: '100',
};

const api = (feed: Feeder): Scene => ({ role: 'api', env: {}, feed, passes: 4, lost: 0, again: 0, failures: 0 });

/** One slot: what it holds when it dies is one task, and what it cannot hold cannot be lost. */
const worker = ([lost, again]: Cost, feed: Feeder = ECHO, more: Partial<Scene> = {}): Scene => ({
  ...{ role: 'worker', env: { WORKER_CONCURRENCY: '1' }, feed, passes: 5, lost, again, failures: 0 },
  ...more,
});

const busyWorker = ([lost, again]: Cost, disturb: NonNullable<Scene['disturb']>): Scene => ({
  ...{ role: 'worker', env: { WORKER_CONCURRENCY: String(HANDS), WORKER_ABORT_GRACE_MS: '500' }, passes: 1 },
  ...{ feed: tasks({ name: 'counted.sleep', payload: { ms: 400 } }), disturb, lost, again, failures: 0 },
});

const scheduler = (feed: Feeder, passes = 3): Scene => ({
  ...{ role: 'scheduler', env: QUICK_SCHEDULER, feed, passes, lost: 0, again: 0, failures: 0 },
});

/** Once its hands are full. */
async function atWork(place: Place, app: App): Promise<void> {
  const held = sql`tasks t JOIN workers w ON w.id = t.worker_id WHERE w.pid = ${app.pid} AND t.state = 'running' AND t.queue = ${place.queue}`;
  while (app.isRunning && (await place.house.count(held)) < HANDS) await pause(LOOK_MS);
}

const stop = async (place: Place, app: App): Promise<void> => {
  await atWork(place, app);
  app.kill('SIGTERM');
};

/** As a sweeper would that has not heard of it. */
const declareLost = async (place: Place, app: App): Promise<void> => {
  await atWork(place, app);
  await place.house.database.execute(sql`UPDATE workers SET state = 'lost' WHERE pid = ${app.pid} AND state = 'live'`);
};

export const SCENES: Readonly<Record<FailpointName, Scene>> = {
  'submit.received': api(keyed),
  'submit.key-claimed': api(keyed),
  'submit.committed': api(keyed),
  'ring.sent': api(keyed),
  'operate.locked': api(operated),
  'operate.committed': api(operated),
  'register.committed': worker(NOTHING, ECHO, { passes: 1 }),
  // The slot was free when the reader asked; while it waits for a message, the drawer may have filled it.
  'read.delivered': worker([1, 1]),
  'claim.locked': worker(NOTHING, silent('unrung'), { env: { WORKER_CONCURRENCY: '1', WORKER_POLL_MS: '50' } }),
  'claim.committed': worker([1, 0]),
  'claim.noted': worker([NOTED_HANDS, UNNOTED_MAX], silent('unrung', NOTED_HANDS), {
    ...{ env: { WORKER_CONCURRENCY: String(NOTED_HANDS), WORKER_POLL_MS: '50' }, passes: 1 },
  }),
  'claim.known': worker([1, 0]),
  'ack.before': worker([1, 1]),
  'ack.done': worker([1, 1]),
  'run.starting': worker([1, 0]),
  'run.started': worker([1, 1]),
  'run.ended': worker([1, 1]),
  'settle.moved': worker([1, 1]),
  'settle.locked': worker([1, 1], tasks({ name: 'counted.flaky', payload: { failures: 1 } }), { failures: 1 }),
  'settle.committed': worker(NOTHING),
  'settle.known': worker(NOTHING),
  'renew.dropped': busyWorker(TWICE, declareLost),
  'renew.survived': busyWorker(TWICE, declareLost),
  'drain.closed': busyWorker([HANDS, HANDS], stop),
  'drain.retired': busyWorker([HANDS, HANDS], stop),
  'drain.idle': busyWorker(NOTHING, stop),
  'drain.stopped': busyWorker(NOTHING, stop),
  'promote.locked': scheduler(tasks({ name: 'counted.echo', delayMs: 200 })),
  'promote.committed': scheduler(tasks({ name: 'counted.echo', delayMs: 200 })),
  'notes.found': scheduler(phantoms('note'), 2),
  'notes.moved': scheduler(phantoms('note'), 2),
  'notes.cleared': scheduler(phantoms('note'), 2),
  'sweep.marked': scheduler(phantoms('ids'), 2),
  'sweep.locked': scheduler(phantoms('ids'), 2),
  'sweep.committed': scheduler(phantoms('ids'), 2),
  'expire.locked': scheduler(tasks({ name: 'counted.echo', delayMs: 60_000, deadlineMs: 200 }, 'failed')),
  'expire.committed': scheduler(tasks({ name: 'counted.echo', delayMs: 60_000, deadlineMs: 200 }, 'failed')),
  'reconcile.found': scheduler(silent('lost'), 2),
  'reconcile.offered': scheduler(silent('lost'), 2),
  'bulk.locked': scheduler(bulk),
  'bulk.committed': scheduler(bulk),
  'tidy.claimed': scheduler(abandoned, 1),
  'prune.selected': scheduler(aged, 1),
  'prune.locked': scheduler(aged, 1),
  'prune.committed': scheduler(aged, 1),
};
