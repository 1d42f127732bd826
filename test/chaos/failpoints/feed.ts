/**
 * What keeps a process busy until it dies at its failpoint: for each kind of place the work that leads there. Every feeder goes on
 * until the signal of its place fires, and keeps no more than a few dozen tasks open, so that recovery is seen and not a backlog.
 */
import { randomBytes } from 'node:crypto';
import { idText, sql } from '@app/database';
import { pause } from '@app/lifecycle';
import { Refused, type Client } from '../../support/client.js';
import { until } from '../../support/until.js';
import type { WireNewTask } from '../../support/wire.js';
import { TENANT } from './house.js';
import type { Ending, Place } from './place.js';

export type Feeder = (place: Place) => Promise<void>;

const OPEN_MAX = 30;
const EVERY_MS = 100;
/** How long a reader that nobody will hear of again waits for a message, in ms. */
const READ_MS = 2_000;
const MINUTE_MS = 60_000;
const GROUP = 6;

/** Repeats a step while there is room for more. One that fails is repeated too: somebody is being killed. */
async function keepFed(place: Place, step: () => Promise<void>): Promise<void> {
  while (!place.signal.aborted) {
    if ((await place.unfinished()) < OPEN_MAX) await step();
    await pause(EVERY_MS, place.signal);
  }
}

/** Tasks through the api that stays up. */
export function tasks(task: WireNewTask, ending: Ending = 'succeeded'): Feeder {
  return (place) =>
    keepFed(place, async () => {
      const { items } = await place.house.client.submitBatch(Array.from({ length: GROUP }, () => ({ ...task, queue: place.queue })));
      for (const item of items) place.promise(item.task?.id ?? 'refused', ending);
    });
}

/** Through the api that dies, and once it is dead, with the same key, through the one that stays up. */
export const keyed: Feeder = async (place) => {
  const task = { name: 'counted.echo', queue: place.queue };
  const one = async (): Promise<void> => {
    const idempotencyKey = randomBytes(8).toString('hex');
    const { id } = await surely(place, (client) => client.submit(task, { idempotencyKey }));
    place.promise(id);
  };
  await keepFed(place, async () => {
    await Promise.all(Array.from({ length: GROUP }, one));
  });
};

/** Cancels through the api that dies; every other one is then retried, through the same, and has to run. */
export const operated: Feeder = async (place) => {
  const one = async (turn: number): Promise<void> => {
    const { id } = await place.house.client.submit({ name: 'counted.echo', queue: place.queue, delayMs: MINUTE_MS });
    const isRetried = turn % 2 === 0;
    await (isRetried ? place.house.client.cancel(id) : surely(place, (client) => unlessMoved(client.cancel(id))));
    if (isRetried) await surely(place, (client) => unlessMoved(client.retry(id)));
    place.promise(id, isRetried ? 'succeeded' : 'cancelled');
  };
  await keepFed(place, async () => {
    await Promise.all(Array.from({ length: GROUP }, (_, turn) => one(turn)));
  });
};

/** Cancelled tasks that one operation after the other retries; its steps are made by whichever scheduler comes first. */
export const bulk: Feeder = async (place) => {
  const { client } = place.house;
  await keepFed(place, async () => {
    const { items } = await client.submitBatch(
      Array.from({ length: GROUP }, () => ({ name: 'counted.echo', queue: place.queue, delayMs: MINUTE_MS })),
    );
    const ids = items.map((item) => item.task?.id ?? 'refused');
    await Promise.all(ids.map((id) => client.cancel(id)));
    for (const id of ids) place.promise(id);
    const order = { action: 'retry', filter: { queue: place.queue, state: 'cancelled' }, reason: 'again', ratePerSecond: 100 };
    const started = await client.request<{ id: string }>('POST', '/api/bulk', { body: order });
    const isOver = async (): Promise<boolean> =>
      (await client.request<{ state: string }>('GET', `/api/bulk/${started.body.id}`)).body.state === 'finished';
    await until(isOver, { deadlineMs: MINUTE_MS, what: 'an operation to be finished' });
  });
};

/** Tasks that no message rings for: workers must find them in the database. */
export function silent(as: 'unrung' | 'lost', count = GROUP): Feeder {
  return (place) =>
    keepFed(place, async () => {
      for (const id of await place.house.submitSilently(place.queue, 'counted.echo', as, count)) place.promise(idText(id));
    });
}

/** Workers that are in the register, claim and are never heard of again. `by`: whether of ids, or from the backlog and leaving a note. */
export const phantoms =
  (by: 'ids' | 'note'): Feeder =>
  (place) =>
    keepFed(place, async () => {
      const { house, queue } = place;
      const worker = randomBytes(16);
      await house.workers.register({
        ...{ id: worker, host: 'nowhere', pid: 0, queues: [queue], handlers: ['counted.echo'] },
        ...{ concurrency: GROUP, leaseMs: 300 },
      });
      const ids = await house.submitSilently(queue, 'counted.echo', 'unrung', GROUP);
      for (const id of ids) place.promise(idText(id));
      const claimed =
        by === 'ids'
          ? await house.claimer.claim(worker, ids)
          : await house.claimer.claimBacklog(worker, { queue, lane: 'normal', tenant: TENANT }, GROUP, () => undefined);
      place.phantoms += claimed.length;
    });

/** Messages that a reader took and will never finish. */
export const abandoned: Feeder = async (place) => {
  const { doorbell } = place.house;
  const reader = doorbell.open(place.queue, `gone-${randomBytes(4).toString('hex')}`);
  // Its first task makes the queue known: only queues that were ever used are tidied.
  place.promise((await place.house.client.submit({ name: 'counted.echo', queue: place.queue })).id);
  try {
    let reading: Promise<void> | null = null;
    while (!place.signal.aborted) {
      // Of two that wait, Redis serves who has waited longer: the worker that stays gets a message, and the next one is this reader's.
      reading ??= reader.read({ tasks: 100, lanes: ['normal'], blockMs: READ_MS, signal: place.signal }).then(() => {
        reading = null;
      });
      await doorbell.ring([{ tenant: TENANT, queue: place.queue, lane: 'normal', ids: [randomBytes(16)] }]);
      await pause(EVERY_MS, place.signal);
    }
    await reading;
  } finally {
    await reader.close();
  }
};

/** Finished tasks whose creation is moved years back, past every retention. */
export const aged: Feeder = async (place) => {
  const fed = tasks({ name: 'counted.echo' }, 'gone')(place);
  const prefix = Buffer.alloc(6);
  prefix.writeUIntBE(AGED_AT, 0, prefix.length);
  const isEnded = async (): Promise<boolean> => place.signal.aborted && (await place.unfinished()) === 0;
  for (let isLast = false; !isLast;) {
    await pause(EVERY_MS);
    isLast = await isEnded();
    const found = await place.house.database.query<{ id: Buffer }>(
      sql`SELECT id FROM tasks WHERE queue = ${place.queue} AND finished_at > 0 AND created_at > ${AGED_AT}`,
    );
    for (const { id } of found) await age(place, id, Buffer.concat([prefix, id.subarray(prefix.length)]));
  }
  await fed;
};

async function age({ house }: Place, id: Buffer, old: Buffer): Promise<void> {
  await house.database.batch([
    sql`UPDATE tasks SET id = ${old}, created_at = ${AGED_AT}, run_at = ${AGED_AT}, started_at = ${AGED_AT}, updated_at = ${AGED_AT}, finished_at = ${AGED_AT} WHERE id = ${id}`,
    sql`UPDATE attempts SET task_id = ${old} WHERE task_id = ${id}`,
    sql`UPDATE task_events SET task_id = ${old} WHERE task_id = ${id}`,
  ]);
}

/** 2020, by the first six bytes of an id. */
const AGED_AT = 1_580_000_000_000;

/** Asks the process that is to die, then the one that stays, until one has answered. */
async function surely<T>(place: Place, ask: (client: Client) => Promise<T>): Promise<T> {
  const first = place.victim?.client ?? null;
  for (let client = first ?? place.house.client; ; client = place.house.client) {
    try {
      return await ask(client);
    } catch (error) {
      // A key may still be in the hands of the dead, whose connection the server has not missed yet.
      const mayRepeat = !(error instanceof Refused) || error.status >= 500 || error.problem?.code === 'idempotency-in-progress';
      if (!mayRepeat) throw error;
      await pause(EVERY_MS);
    }
  }
}

/** The dead may have done it before they died; a second time it is refused, which is as well. */
async function unlessMoved(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof Refused && error.problem?.code === 'invalid-state')) throw error;
  }
}
