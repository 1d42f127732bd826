/**
 * Nothing that belongs to another tenant can be told from what does not exist: on every route, in every place where a request can
 * name a thing, in every state of that thing, and in any order of calls. The same call is made twice, once with the name
 * of something of theirs and once with a name that nobody has; the answers must be alike and theirs unchanged.
 */
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { routesOf } from '@app/auth';
import { sql } from '@app/database';
import { TASK_STATES, type TaskState } from '@app/tasks';
import { startFrontOn, type StoredFront } from '../../support/front-on-store.js';
import { modelRuns } from '../../support/model-runs.js';
import { onEveryStore } from '../../support/store-suite.js';
import { takeAll } from '../../support/store.js';
import {
  furnish,
  KNOWN_ROUTES,
  likeness,
  MARK,
  OPERATOR_ROUTES,
  PLACES,
  PLAIN_LISTS,
  rowsOfTheirs,
  send,
  THEM,
  US,
  type Place,
  type Theirs,
} from '../../support/two-tenants.js';

const CALLS_MAX = 12;

onEveryStore('another tenant over HTTP', (current) => {
  let front: StoredFront;
  let theirs: Theirs;
  beforeEach(async () => {
    front = await startFrontOn(current(), { BULK_RUNNING_MAX: '100' });
    theirs = await furnish(current(), front);
  });
  afterEach(() => front.stop());

  /** Makes the call with their name and with nobody's, and returns what differs. */
  async function differences(place: Place, state: TaskState): Promise<string[]> {
    const [name, nobodys] = [theirs.nameOf(place, state), theirs.nobodys(place)];
    const [first, second] = [await send(front, US, place.call(name)), await send(front, US, place.call(nobodys))];
    const [a, b] = [likeness(first, name), likeness(second, nobodys)];
    const told = a.includes(MARK) ? [`${place.route} by ${place.where} tells of theirs: ${a}`] : [];
    return a === b ? told : [...told, `${place.route} by ${place.where}:\n${a}\n${b}`];
  }

  it('has every route of the application in its table', () => {
    const all = routesOf(front.app).filter(({ path }) => path.startsWith('/api/'));
    const routes = all.filter(({ method, path }) => !OPERATOR_ROUTES.includes(`${method} ${path}`));
    expect(all.length - routes.length).toBe(OPERATOR_ROUTES.length);
    expect([...KNOWN_ROUTES].sort()).toEqual(routes.map(({ method, path }) => `${method} ${path}`).sort());
    const unnamed = routes.filter(({ method, path }) => path.includes(':') && !PLACES.some(({ route }) => route === `${method} ${path}`));
    expect(unnamed).toEqual([]);
  });

  it('is in no list, count or log of ours', async () => {
    for (const path of PLAIN_LISTS) {
      const { status, text } = await send(front, US, { method: 'GET', path });
      expect([path, status]).toEqual([path, 200]);
      for (const trace of [MARK, THEM, ...Object.values(theirs.tasks)]) expect([path, text.includes(trace)]).toEqual([path, false]);
    }
  });

  it('answers as if it did not exist, wherever something of theirs is named and whatever state it is in, and changes nothing', async () => {
    const before = await rowsOfTheirs(current(), theirs);
    expect(before.length).toBeGreaterThan(20);
    const found: string[] = [];
    for (const place of PLACES) {
      for (const state of place.kind === 'task' ? TASK_STATES : (['queued'] as const)) found.push(...(await differences(place, state)));
    }
    expect(found).toEqual([]);
    await takeAll(async () => {
      await current().raw.execute(sql`UPDATE bulk_operations SET next_at = 1 WHERE tenant = ${US}`);
      return current().bulkRunnerOf().step();
    });
    expect(await rowsOfTheirs(current(), theirs)).toEqual(before);
  });

  it('stays so after any calls in any order', async () => {
    const before = await rowsOfTheirs(current(), theirs);
    const step = fc.record({ place: fc.constantFrom(...PLACES), state: fc.constantFrom(...TASK_STATES) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: CALLS_MAX }), async (steps) => {
        for (const { place, state } of steps) expect(await differences(place, state)).toEqual([]);
        expect(await rowsOfTheirs(current(), theirs)).toEqual(before);
      }),
      modelRuns(6),
    );
  });

  it('sees its own', async () => {
    for (const [state, id] of Object.entries(theirs.tasks)) {
      const { status, text } = await send(front, THEM, { method: 'GET', path: `/api/tasks/${id}` });
      expect([status, JSON.parse(text)]).toEqual([200, expect.objectContaining({ id, state, payload: MARK })]);
    }
  });
});
