/**
 * One failpoint, tried as often as asked: a process is started that will die there, is kept busy until it has, and is replaced by the
 * next. Only a death that the failpoint itself has announced counts. Then nothing more is fed, what is left is waited for, and counted.
 */
import { within } from '../../support/until.js';
import { pause, type FailpointName } from '@app/lifecycle';
import type { App } from '../../support/process.js';
import { Random } from '../random.js';
import { account, type Account, type Death } from './account.js';
import { clientOf, type House } from './house.js';
import { Place } from './place.js';
import { SCENES, type Scene } from './scenes.js';

const DEATH_MS = 60_000;
const FINISH_MS = 90_000;
const LOOK_MS = 100;
const LINES_SHOWN = 10;
/** Processes in a row that did not die where they should, before it is a finding. */
const MISSES_MAX = 5;

export interface Trial extends Account {
  readonly point: FailpointName;
  readonly kills: number;
  /** Processes that ended otherwise: their signal came before they were there. */
  readonly misses: number;
}

/** Throws where the failpoint cannot be reached. */
export async function tryPoint(house: House, point: FailpointName, kills: number, seed: number): Promise<Trial> {
  const scene = SCENES[point];
  const enough = new AbortController();
  const place = new Place(house, point, new Random(seed, point), enough.signal);
  let failed: unknown = null;
  const feeding = scene.feed(place).catch((error: unknown) => {
    failed = error;
  });
  const deaths: Death[] = [];
  let misses = 0;
  try {
    while (deaths.length < kills && failed === null) {
      const death = await dies(place, scene);
      if (death === null) misses += 1;
      else deaths.push(death);
      if (misses > MISSES_MAX + deaths.length) throw new Error(`${point} is not reached: ${misses} processes did not die there.`);
    }
  } finally {
    enough.abort();
    place.victim = null;
    await feeding;
  }
  if (failed !== null) throw new Error(`what should have led to ${point} has failed`, { cause: failed });
  await finished(place);
  return { point, kills: deaths.length, misses, ...(await account(place, scene, deaths)) };
}

/** One process, from its start to its end; null where it did not die where it should. */
async function dies(place: Place, scene: Scene): Promise<Death | null> {
  const { point, house, random } = place;
  const app = house.spawn({
    ROLE: scene.role,
    FAILPOINTS: `${point}=kill@${random.whole(1, scene.passes)}`,
    WORKER_QUEUES: place.queue,
    ...scene.env,
  });
  const disturbing = scene.disturb?.(place, app) ?? Promise.resolve();
  try {
    if (scene.role === 'api') await listening(place, app);
    const { signal } = await within(app.exited, DEATH_MS, `a process to die at ${point}`);
    const at = Date.now();
    return signal === 'SIGKILL' && app.stderr().includes(`failpoint ${point}: kill`) ? { pid: app.pid, at } : null;
  } catch (error) {
    await app.end();
    const said = app
      .logs()
      .slice(-LINES_SHOWN)
      .map((line) => JSON.stringify(line));
    throw new Error([(error as Error).message, ...said, app.stderr().slice(-1_000)].join('\n'), { cause: error });
  } finally {
    place.victim = null;
    await disturbing;
  }
}

/** From here on requests go to it. It may be dead by then. */
async function listening(place: Place, app: App): Promise<void> {
  await app.waitForListening(DEATH_MS);
  place.victim = { app, client: clientOf(app) };
}

/** Waits until nothing is open; what is still open then is stuck, and counted as such. */
async function finished(place: Place): Promise<void> {
  if ([...place.promised.values()].includes('gone')) await pruned(place);
  const giveUpAt = performance.now() + FINISH_MS;
  while ((await place.unfinished()) > 0 && performance.now() < giveUpAt) await pause(LOOK_MS);
}

/** The scheduler that stays up looks for old history once a minute, and begins in the present; a fresh one begins at the beginning. */
async function pruned(place: Place): Promise<void> {
  const app = place.house.spawn({ ROLE: 'scheduler', ...SCENES[place.point].env });
  const giveUpAt = performance.now() + FINISH_MS;
  while ((await place.left()) > 0 && performance.now() < giveUpAt) await pause(LOOK_MS);
  await app.end();
}
