/**
 * The state machine against those who turn it: every state that is no end has a loop that moves it on, every move of the table is
 * made here, and every guard is met by a writer that comes too late and must change nothing. A state, a move or a loop that is
 * added without its proof fails here.
 */
import { afterEach, describe, expect, it } from '@jest/globals';
import { idText, type Row, sql } from '@app/database';
import { MOVES, TASK_STATES, type TaskState } from '@app/tasks';
import { SchedulerModule } from '../../../apps/server/scheduler/scheduler.module.js';
import { WorkerModule } from '../../../apps/server/worker/worker.module.js';
import { EXERCISES, isOpen, type OpenState } from '../../support/moves.js';
import { startRole, type RunningRole } from '../../support/role-in-process.js';
import { bytesOf, type Store } from '../../support/store.js';
import { taskIn } from '../../support/store-states.js';
import { onEveryStore } from '../../support/store-suite.js';
import { until } from '../../support/until.js';

const HOUR_MS = 3_600_000;
const LEASE_MS = 300;
/** Fast enough for a test; what is found in time is found by a loop. */
const FAST = {
  ...{ SCHEDULER_PROMOTE_MS: '50', SCHEDULER_EXPIRE_MS: '100', SCHEDULER_SWEEP_MS: '200', SCHEDULER_RECONCILE_MS: '200' },
  ...{ RECONCILE_GRACE_MS: '1000', WORKER_POLL_MS: '100', WORKER_LEASE_MS: '3000', HEARTBEAT_TASK: 'off' },
};

interface Owner {
  /** The role that must be up for this, and no other; and the loop of it that does it. */
  role: 'scheduler' | 'worker';
  loop: string;
  /** Leaves a task there; returns its id. */
  leave: (store: Store) => Promise<string>;
  /** Where it must come to, by nobody else's doing. */
  comesTo: TaskState | 'unrung';
}

const due = (state: TaskState, kind: 'run' | 'expire' | 'deadline') => async (store: Store) => {
  const { id } = await taskIn(store, state, { expiresAt: Date.now() + HOUR_MS, deadlineMs: HOUR_MS });
  await store.makeDue(id, kind);
  return id;
};

/** By a worker that has stopped beating without a word. */
const abandoned = async (store: Store): Promise<string> => {
  const { id } = await store.add();
  await store.claim(await store.hire({ leaseMs: LEASE_MS }), id);
  return id;
};

/** A worker of its own holds it, which is what the executor is: so it is left where that one finds it. */
const offered = (window: 'open' | 'shut') => async (store: Store) => {
  store.doorbell.window = window;
  return (await store.add({ name: 'sha256', payload: '{"text":"x"}' })).id;
};

const unheard = async (store: Store): Promise<string> => {
  const { id } = await store.add();
  await store.doorbell.forget();
  await store.raw.execute(sql`UPDATE tasks SET rung_at = 1 WHERE id = ${bytesOf(id)}`);
  return id;
};

/** The type asks for every state that is no end; each owner is a loop of the program. */
const OWNERS: Readonly<Record<OpenState, readonly Owner[]>> = {
  scheduled: [
    { role: 'scheduler', loop: 'scheduler.promote', leave: due('scheduled', 'run'), comesTo: 'queued' },
    { role: 'scheduler', loop: 'scheduler.expire', leave: due('scheduled', 'expire'), comesTo: 'expired' },
    { role: 'scheduler', loop: 'scheduler.expire', leave: due('scheduled', 'deadline'), comesTo: 'failed' },
  ],
  retrying: [
    { role: 'scheduler', loop: 'scheduler.promote', leave: due('retrying', 'run'), comesTo: 'queued' },
    { role: 'scheduler', loop: 'scheduler.expire', leave: due('retrying', 'expire'), comesTo: 'expired' },
    { role: 'scheduler', loop: 'scheduler.expire', leave: due('retrying', 'deadline'), comesTo: 'failed' },
  ],
  queued: [
    { role: 'worker', loop: 'worker.readers', leave: offered('open'), comesTo: 'succeeded' },
    { role: 'worker', loop: 'worker.drawer', leave: offered('shut'), comesTo: 'succeeded' },
    { role: 'scheduler', loop: 'scheduler.reconcile', leave: unheard, comesTo: 'unrung' },
    { role: 'scheduler', loop: 'scheduler.expire', leave: due('queued', 'expire'), comesTo: 'expired' },
    { role: 'scheduler', loop: 'scheduler.expire', leave: due('queued', 'deadline'), comesTo: 'failed' },
  ],
  running: [
    { role: 'worker', loop: 'worker.drawer', leave: offered('shut'), comesTo: 'succeeded' },
    { role: 'scheduler', loop: 'scheduler.sweep', leave: abandoned, comesTo: 'queued' },
  ],
};
/** Loops that move no task. */
const OTHERS = ['limits.refresh', 'scheduler.bulk', 'scheduler.prune'];

const MODULES = { scheduler: () => SchedulerModule, worker: WorkerModule.for };
const CASES = Object.entries(OWNERS).flatMap(([state, owners]) =>
  owners.map((owner) => [state, owner.loop, owner.comesTo, owner] as const),
);

onEveryStore('the owner', (current) => {
  let role: RunningRole | null = null;

  afterEach(async () => {
    await role?.stop();
    role = null;
  });

  it.each(CASES)('of a %s task, %s, moves it on to %s', async (state, loop, comesTo, owner) => {
    const store = current();
    const id = await owner.leave(store);
    // A running task is left by a worker that died, or is on its way through the worker that will be its owner.
    if (owner.role === 'scheduler') expect((await store.row(id)).state).toBe(state);
    role = await startRole(store, FAST, MODULES[owner.role]);
    await until(() => role!.loops().includes(loop), { what: `${loop} to turn` });
    await until(
      async () => {
        const row = await store.row(id);
        return (comesTo === 'unrung' ? row.phase : row.state) === comesTo;
      },
      { deadlineMs: 20_000, what: `${loop} to move the task to ${comesTo}` },
    );
  });

  it('is named for every loop that the scheduler turns', async () => {
    const store = current();
    role = await startRole(store, FAST, MODULES.scheduler);
    const named = new Set([...CASES.map(([, loop]) => loop).filter((loop) => loop.startsWith('scheduler.')), ...OTHERS]);
    expect(role.loops().sort()).toEqual([...named].sort());
  });
});

it('every state that is no end has an owner', () => {
  expect(Object.keys(OWNERS).sort()).toEqual(TASK_STATES.filter(isOpen).sort());
});

describe('the exercises', () => {
  it('are those of the table of moves, one for each', () => {
    expect(Object.keys(EXERCISES).sort()).toEqual(MOVES.map(({ from, to, by }) => `${from} → ${to}: ${by}`).sort());
  });
});

/** All that is stored about a task but its timers: those that lost their meaning are dropped by whoever finds them. */
async function everything(store: Store, id: string): Promise<Record<string, Row[]>> {
  const task = bytesOf(id);
  return {
    task: await store.raw.query(sql`SELECT * FROM tasks WHERE id = ${task}`),
    attempts: await store.raw.query(sql`SELECT * FROM attempts WHERE task_id = ${task} ORDER BY attempt`),
    events: await store.raw.query(sql`SELECT * FROM task_events WHERE task_id = ${task} ORDER BY at, kind`),
    cancels: await store.raw.query(sql`SELECT * FROM cancel_requests WHERE task_id = ${task}`),
    audit: await store.raw.query(sql`SELECT * FROM audit_entries WHERE target = ${idText(task)} ORDER BY id`),
  };
}

onEveryStore('the move', (current, backend) => {
  it.each(MOVES.map((move) => [`${move.from} → ${move.to}: ${move.by}`, move] as const))('%s', async (name, { from, to }) => {
    const store = current();
    const { id, move } = await EXERCISES[name]!(store);
    expect((await store.row(id)).state).toBe(from);
    await move();
    expect((await store.row(id)).state).toBe(to);
  });

  it.each(MOVES.map(({ from, to, by }) => `${from} → ${to}: ${by}`))(
    '%s changes nothing where somebody else has committed first',
    async (name) => {
      const store = current();
      const { id, move, rival } = await EXERCISES[name]!(store);
      let before: Awaited<ReturnType<typeof everything>> | null = null;
      store.database.interrupt(['batch', 'transaction'], async () => {
        await rival();
        before = await everything(store, id);
      });
      // Whoever operates is told; everybody else finds nothing to do.
      await move().catch((error: unknown) => expect(error).toMatchObject({ code: 'invalid-state' }));
      expect(before).not.toBeNull();
      expect(await everything(store, id)).toEqual(before);
    },
  );

  // SQLite has one writer: nobody commits between the first statement of a transaction and its last.
  if (backend.name !== 'sqlite') {
    it.each(MOVES.filter(({ by }) => by === 'promoter' || by === 'expirer').map(({ from, to, by }) => `${from} → ${to}: ${by}`))(
      '%s changes nothing where somebody commits between its look at the timers and its lock of the task',
      async (name) => {
        const store = current();
        const { id, move, rival } = await EXERCISES[name]!(store);
        let before: Awaited<ReturnType<typeof everything>> | null = null;
        store.database.interruptInside(async () => {
          await rival();
          before = await everything(store, id);
        });
        await move();
        expect(before).not.toBeNull();
        expect(await everything(store, id)).toEqual(before);
      },
    );
  }
});
