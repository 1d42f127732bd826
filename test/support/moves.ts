/**
 * Every move of the table of states, made by whoever makes it: how a task comes to where the move starts, the move itself, and a
 * rival whose own move commits first, after which this one must find nothing to move.
 */
import { isFinal, type TaskState, type Verdict } from '@app/tasks';
import { bytesOf, OOPS, POISON_CRASHES, type Store } from './store.js';
import { taskIn } from './store-states.js';

const HOUR_MS = 3_600_000;

export interface Exercise {
  id: string;
  move: () => Promise<unknown>;
  rival: () => Promise<unknown>;
}

type Arrange = (store: Store) => Promise<Exercise>;
type Idle = 'scheduled' | 'queued' | 'retrying';
type Ending = Parameters<Store['expirer']['expire']>[0];

const cancel = (store: Store, id: string) => (): Promise<unknown> => store.canceller.cancel('acme', id, 'a rival');

/** The lease has ended, and somebody else runs the task, unless it was asked to stop. */
async function overtake(store: Store, id: string, worker: Buffer): Promise<void> {
  await store.bury(worker);
  await store.sweeper.takeBack();
  await store.claimer.claim(await store.hire(), [bytesOf(id)]);
}

const promoted =
  (from: 'scheduled' | 'retrying'): Arrange =>
  async (store) => {
    const { id } = await taskIn(store, from);
    await store.makeDue(id, 'run');
    return { id, move: () => store.promoter.promote(), rival: cancel(store, id) };
  };

const claimed: Arrange = async (store) => {
  const { id } = await taskIn(store, 'queued');
  const [worker, other] = [await store.hire(), await store.hire()];
  return { id, move: () => store.claimer.claim(worker, [bytesOf(id)]), rival: () => store.claim(other, id) };
};

const settled =
  (verdict: Verdict, isCancelled = false): Arrange =>
  async (store) => {
    const worker = await store.hire();
    const { id } = await store.add();
    const task = await store.claim(worker, id);
    if (isCancelled) await store.canceller.cancel('acme', id, 'someone');
    return { id, move: () => store.settle(worker, task, verdict), rival: () => overtake(store, id, worker) };
  };

/** How the worker of a task is lost: as it is, or by itself once too often, or with a request to cancel. */
const swept =
  (how: 'lost' | 'poison' | 'cancel'): Arrange =>
  async (store) => {
    const { id } = await store.add();
    for (let crash = 1; how === 'poison' && crash < POISON_CRASHES; crash += 1) {
      const dead = await store.hire();
      await store.claim(dead, id);
      await store.bury(dead);
      await store.sweeper.takeBack();
    }
    const worker = await store.hire();
    const task = await store.claim(worker, id);
    if (how === 'poison') await store.workers.setSolo(worker, bytesOf(id));
    if (how === 'cancel') await store.canceller.cancel('acme', id, 'someone');
    await store.bury(worker);
    const success = { kind: 'succeeded', result: '"in time"' } as const;
    return { id, move: () => store.sweeper.takeBack(), rival: () => store.settle(worker, task, success) };
  };

const cancelled =
  (from: Idle): Arrange =>
  async (store) => {
    const { id } = await taskIn(store, from, { expiresAt: Date.now() + HOUR_MS });
    const rival = async (): Promise<void> => {
      await store.makeDue(id, 'expire');
      await store.expirer.expire('expire');
    };
    return { id, move: () => store.canceller.cancel('acme', id, 'someone'), rival };
  };

const timedOut =
  (from: Idle, kind: Ending): Arrange =>
  async (store) => {
    const { id } = await taskIn(store, from, { expiresAt: Date.now() + HOUR_MS, deadlineMs: HOUR_MS });
    await store.makeDue(id, kind);
    return { id, move: () => store.expirer.expire(kind), rival: cancel(store, id) };
  };

const retried =
  (from: 'failed' | 'cancelled' | 'expired'): Arrange =>
  async (store) => {
    const { id } = await taskIn(store, from);
    const rival = async (): Promise<void> => {
      await store.retrier.retry('acme', id, 'a rival');
      await store.claim(await store.hire(), id);
    };
    return { id, move: () => store.retrier.retry('acme', id, 'someone'), rival };
  };

/** `from → to: who`, as in the table of moves. */
export const EXERCISES: Readonly<Record<string, Arrange>> = {
  'scheduled → queued: promoter': promoted('scheduled'),
  'retrying → queued: promoter': promoted('retrying'),
  'queued → running: worker': claimed,
  'running → succeeded: worker': settled({ kind: 'succeeded', result: '"late"' }),
  'running → retrying: worker': settled({ kind: 'retry', delayMs: HOUR_MS, error: OOPS, timedOut: false }),
  'running → failed: worker': settled({ kind: 'failed', reason: 'permanent_error', error: OOPS, timedOut: false }),
  'running → queued: worker': settled({ kind: 'released', delayMs: 0, error: null, unhandled: false }),
  'running → cancelled: worker': settled({ kind: 'retry', delayMs: HOUR_MS, error: OOPS, timedOut: false }, true),
  'running → queued: sweeper': swept('lost'),
  'running → failed: sweeper': swept('poison'),
  'running → cancelled: sweeper': swept('cancel'),
  'scheduled → cancelled: canceller': cancelled('scheduled'),
  'queued → cancelled: canceller': cancelled('queued'),
  'retrying → cancelled: canceller': cancelled('retrying'),
  'scheduled → expired: expirer': timedOut('scheduled', 'expire'),
  'queued → expired: expirer': timedOut('queued', 'expire'),
  'retrying → expired: expirer': timedOut('retrying', 'expire'),
  'scheduled → failed: expirer': timedOut('scheduled', 'deadline'),
  'queued → failed: expirer': timedOut('queued', 'deadline'),
  'retrying → failed: expirer': timedOut('retrying', 'deadline'),
  'failed → queued: operator': retried('failed'),
  'cancelled → queued: operator': retried('cancelled'),
  'expired → queued: operator': retried('expired'),
};

/** A state that somebody must move on: a new one has no owner until it is named in the tables that this type keys. */
export type OpenState = Exclude<TaskState, 'succeeded' | 'failed' | 'cancelled' | 'expired'>;
export const isOpen = (state: TaskState): state is OpenState => !isFinal(state);
