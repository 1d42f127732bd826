/**
 * The moves of the model-based test: each makes the same one on the model and on the store, and then compares the whole of both.
 * What another worker, an operator or a scheduler may do at any moment is here too, and so is the writer that comes too late.
 */
import { expect } from '@jest/globals';
import fc from 'fast-check';
import { idText, sql } from '@app/database';
import { IdempotencyKeyReused, InvalidState } from '@app/errors';
import { takeOver, type ClaimedTask, type TaskState, type Verdict } from '@app/tasks';
import { bytesOf, keyed, newTask, NO_RETENTION_MS, OOPS, type Store } from './store.js';
import type { ModelClaim, ModelTask, ModelWorker, StoreModel, TimerName } from './store-model.js';

const HOUR_MS = 3_600_000;
const DECADE_MS = 87_600 * HOUR_MS;
const PLACE = { queue: 'default', lane: 'normal', tenant: 'acme' } as const;
const ENDS = ['succeeded', 'failed', 'cancelled', 'expired'] as const satisfies readonly TaskState[];
const NEVER = new AbortController().signal;

const VERDICTS: readonly Verdict[] = [
  { kind: 'succeeded', result: '{"x":1}' },
  { kind: 'succeeded', result: 'null' },
  { kind: 'retry', delayMs: HOUR_MS, error: OOPS, timedOut: false },
  { kind: 'retry', delayMs: HOUR_MS, error: OOPS, timedOut: true },
  { kind: 'retry', delayMs: 0, error: OOPS, timedOut: true },
  { kind: 'failed', reason: 'permanent_error', error: OOPS, timedOut: false },
  { kind: 'failed', reason: 'attempts_exhausted', error: OOPS, timedOut: true },
  { kind: 'cancelled', error: null },
  { kind: 'released', delayMs: 0, error: null, unhandled: false },
  { kind: 'released', delayMs: HOUR_MS, error: OOPS, unhandled: true },
  { kind: 'released', delayMs: HOUR_MS, error: null, unhandled: false },
  { kind: 'released', delayMs: 0, error: OOPS, unhandled: true },
  { kind: 'snoozed', delayMs: HOUR_MS },
  { kind: 'snoozed', delayMs: 0 },
  { kind: 'fallback', error: OOPS, timedOut: false, from: 'echo', to: 'ghost' },
  { kind: 'fallback', error: OOPS, timedOut: true, from: 'echo', to: 'ghost' },
  { kind: 'crashed', poison: false, error: OOPS },
  { kind: 'crashed', poison: true, error: OOPS },
];

export interface Real {
  store: Store;
  claimed: Map<ModelClaim, ClaimedTask>;
}

export type Command = fc.AsyncCommand<StoreModel, Real>;

const at = <T>(items: readonly T[], pick: number): T => items[pick % items.length]!;

/** Mostly one of those that the move is meant for, so that histories get somewhere; else any, which is how refusals are met. */
function mostly<T>(items: readonly T[], pick: number, meant: (item: T) => boolean): T {
  const fitting = pick % 4 === 0 ? [] : items.filter(meant);
  return at(fitting.length > 0 ? fitting : items, Math.floor(pick / 4));
}

const isOpen = ({ status }: ModelClaim): boolean => status === 'open';
const idsOf = (tasks: readonly ModelTask[]): Buffer[] => tasks.map(({ id }) => bytesOf(id));

/** Both in the same form: a line per task, a line per worker. */
async function compare(model: StoreModel, { store }: Real): Promise<void> {
  const { raw } = store;
  const tasks = await raw.query<Record<string, unknown> & { id: Buffer; worker_id: Buffer }>(
    sql`SELECT id, state, phase, reason, ended, attempt, failures, crashes, snoozes, fallbacks, worker_id, payload FROM tasks`,
  );
  const attempts = await raw.query<{ task_id: Buffer; outcome: string }>(
    sql`SELECT task_id, outcome FROM attempts ORDER BY task_id, attempt`,
  );
  const beside = await raw.query<{ task_id: Buffer; what: string; kind: string }>(
    sql`SELECT task_id, 'timer' AS what, kind FROM timers UNION ALL SELECT DISTINCT task_id, 'event' AS what, kind FROM task_events UNION ALL SELECT task_id, 'cancel' AS what, '' AS kind FROM cancel_requests UNION ALL SELECT task_id, 'checkpoint' AS what, '' AS kind FROM task_checkpoints`,
  );
  const found = tasks.map((row) => {
    const of = (other: { task_id: Buffer }): boolean => other.task_id.equals(row.id);
    const kinds = (what: string): string => lined(beside.filter((one) => one.what === what && of(one)).map(({ kind }) => kind));
    const is = (what: string): boolean => beside.some((one) => one.what === what && of(one));
    const state = String(row['state']);
    const counts = ['attempt', 'failures', 'crashes', 'snoozes', 'fallbacks'].map((name) => String(row[name])).join('/');
    return [
      ...[idText(row.id), state, state === 'queued' ? row['phase'] : '-', row['reason'], row['ended'] === 'discarded', counts],
      ...[state === 'running' ? row.worker_id.toString('hex') : '-', state === 'running' && is('cancel'), row['payload']],
      `[${attempts
        .filter(of)
        .map(({ outcome }) => outcome)
        .join(' ')}] {${kinds('timer')}} <${kinds('event')}> ${is('checkpoint')}`,
    ].join(' ');
  });
  const expected = model.tasks.map((task) =>
    [
      ...[task.id, task.state, task.state === 'queued' ? task.phase : '-', task.reason, task.discarded],
      [task.attempt, task.failures, task.crashes, task.snoozes, task.fallbacks].join('/'),
      ...[task.worker?.id.toString('hex') ?? '-', task.cancelRequested, task.payload],
      `[${task.attempts.map(({ outcome }) => outcome).join(' ')}] {${lined(task.timers.keys())}} <${lined(task.events)}> ${task.checkpoint}`,
    ].join(' '),
  );
  expect(found.sort()).toEqual(expected.sort());
  const workers = await raw.query<{ id: Buffer; state: string }>(sql`SELECT id, state FROM workers`);
  expect(lined(workers.map(({ id, state }) => `${id.toString('hex')} ${state}`))).toBe(
    lined(model.workers.map(({ id, state }) => `${id.toString('hex')} ${state}`)),
  );
}

const lined = (words: Iterable<string>): string => [...words].sort().join(' ');

/** A command that runs, and then the comparison. */
function command(label: string, check: (model: StoreModel) => boolean, run: (model: StoreModel, real: Real) => Promise<void>): Command {
  return {
    check,
    toString: () => label,
    async run(model, real) {
      await run(model, real);
      await compare(model, real);
    },
  };
}

const always = (): boolean => true;
const hasTasks = ({ tasks }: StoreModel): boolean => tasks.length > 0;
const hasWorkers = ({ workers }: StoreModel): boolean => workers.length > 0;
const hasClaims = ({ claims }: StoreModel): boolean => claims.length > 0;
const canClaim = (model: StoreModel): boolean => hasTasks(model) && hasWorkers(model);

const submit = (name: string, timers: readonly TimerName[], key: string | null, body: string): Command =>
  command(`submit(${name}, [${timers.join(' ')}], ${key ?? 'no key'}, ${body})`, always, async (model, { store }) => {
    const submission = store.submitter.submit(
      newTask({
        name,
        delayMs: timers.includes('run') ? HOUR_MS : null,
        expiresAt: timers.includes('expire') ? Date.now() + HOUR_MS : null,
        deadlineMs: timers.includes('deadline') ? HOUR_MS : null,
        idempotency: key === null ? null : keyed(key, body),
      }),
    );
    const earlier = key === null ? undefined : model.keys.get(key);
    if (earlier !== undefined && earlier.body !== body) {
      await expect(submission).rejects.toBeInstanceOf(IdempotencyKeyReused);
      return;
    }
    const { task, replayed } = await submission;
    // A key whose task is gone is free again.
    const isReplay = earlier?.task.pruned === false;
    expect(replayed).toBe(isReplay);
    if (isReplay) expect(task.id).toBe(earlier.task.id);
    else {
      const made = model.submit(task.id, name, timers);
      if (key !== null) model.keys.set(key, { body, task: made });
    }
  });

const hire = (): Command =>
  command(
    'hire',
    (model) => model.workers.filter(({ state }) => state === 'live').length < 3,
    async (model, { store }) => {
      model.workers.push({ id: await store.hire(), state: 'live', solo: null });
    },
  );

/** What was claimed is what the model says, and from now on both know the claims. */
function note(
  model: StoreModel,
  { claimed }: Real,
  expected: readonly ModelTask[],
  worker: ModelWorker,
  got: readonly ClaimedTask[],
): void {
  expect(got.map(({ id }) => id).sort()).toEqual(expected.map(({ id }) => id).sort());
  for (const task of expected) {
    model.claim(task, worker);
    const mine = got.find(({ id }) => id === task.id)!;
    expect(mine).toMatchObject({ attempt: task.attempt, failures: task.failures, crashes: task.crashes, payload: task.payload });
    claimed.set(model.claims.at(-1)!, mine);
  }
}

const claim = (who: number, which: readonly number[]): Command =>
  command(`claim(${who}, [${which.join(' ')}])`, canClaim, async (model, real) => {
    const worker = mostly(model.workers, who, ({ state }) => state === 'live');
    // A worker never asks for what it runs already; of what others run it may well hear.
    const wanted = [...new Set(which.map((pick) => mostly(model.tasks, pick, (task) => model.claimable(task))))].filter(
      (task) => task.worker !== worker,
    );
    const got = await real.store.claimer.claim(worker.id, idsOf(wanted));
    const claimable = wanted.filter((task) => model.claimable(task));
    note(model, real, claimable, worker, got);
  });

const claimBacklog = (who: number, most: number): Command =>
  command(`claimBacklog(${who}, ${most})`, canClaim, async (model, real) => {
    const worker = at(model.workers, who);
    const first = model.tasks.filter((task) => task.phase === 'unrung' && model.claimable(task)).slice(0, most);
    const got = await real.store.notingClaimer.claimBacklog(worker.id, PLACE, most, () => undefined);
    note(model, real, first, worker, got);
  });

const settle = (picks: readonly (readonly [number, number])[], accident: 'none' | 'loseAnswer' | 'loseCommit'): Command =>
  command(
    `settle(${picks.map(([which, how]) => `${which}→${how}`).join(' ')}, ${accident})`,
    hasClaims,
    async (model, { store, claimed }) => {
      const chosen = new Map(picks.map(([which, how]) => [mostly(model.claims, which, isOpen), at(VERDICTS, how)]));
      if (accident !== 'none') store.database[accident]();
      const settling = [...chosen].map(([one, verdict]) => store.settle(one.worker.id, claimed.get(one)!, verdict));
      const results = await Promise.all(settling);
      expect(results).toEqual([...chosen].map(([one, verdict]) => model.settle(one, verdict)));
      expect(store.database.ordered).toBe(0);
    },
  );

const settleTwice = (which: number, how: number): Command =>
  command(`settleTwice(${which}→${how})`, hasClaims, async (model, { store, claimed }) => {
    const one = mostly(model.claims, which, isOpen);
    const verdict = at(VERDICTS, how);
    const settling = [0, 1].map(() => store.settle(one.worker.id, claimed.get(one)!, verdict));
    expect(await Promise.all(settling)).toEqual([model.settle(one, verdict), model.settle(one, verdict)]);
  });

/** A worker that takes somebody else's number, or an old one, for its own. */
const forge = (which: number, who: number, how: number): Command =>
  command(
    `forge(${which}, ${who}→${how})`,
    (model) => hasClaims(model) && hasWorkers(model),
    async (model, { store, claimed }) => {
      const [one, worker] = [at(model.claims, which), at(model.workers, who)];
      const isTheirs = model.claims.some((other) => other.task === one.task && other.worker === worker && other.attempt === one.attempt);
      if (!isTheirs) expect(await store.settle(worker.id, claimed.get(one)!, at(VERDICTS, how))).toBe('fenced');
    },
  );

const write = (which: number): Command =>
  command(`write(${which})`, hasClaims, async (model, { store, claimed }) => {
    const one = mostly(model.claims, which, isOpen);
    const task = claimed.get(one)!;
    const mine = model.isMine(one);
    if (mine) one.task.checkpoint = true;
    expect(await store.checkpoints.write(one.worker.id, task, task.name, '1')).toBe(mine);
    expect(await store.progress.write(one.worker.id, task, 0.5, '')).toBe(mine);
    expect((await store.resources.register(one.worker.id, task, task.name, 'machine', 'm')) !== null).toBe(mine);
  });

/** What becomes of a worker. */
const employ = (how: 'lose' | 'drain' | 'stop' | 'survive' | 'beat', who: number): Command =>
  command(`${how}(${who})`, hasWorkers, async (model, { store }) => {
    const isBusy = (one: ModelWorker): boolean => one.state === 'live' && model.tasks.some((task) => task.worker === one);
    const worker = mostly(model.workers, who, (one) => (how === 'survive' ? one.state === 'lost' : isBusy(one)));
    const isHere = worker.state === 'live' || worker.state === 'draining';
    switch (how) {
      case 'lose':
        worker.state = 'lost';
        return store.bury(worker.id);
      case 'drain':
        if (worker.state === 'live') worker.state = 'draining';
        return store.workers.drain(worker.id);
      case 'stop':
        if (isHere) worker.state = 'stopped';
        return store.workers.stop(worker.id);
      case 'survive': {
        const held = idsOf(model.heldBy(worker));
        model.survive(worker);
        return store.workers.survive(worker.id, held);
      }
      case 'beat':
        expect(await store.raw.execute(store.workers.beat(worker.id))).toBe(model.beat(worker));
    }
  });

const solo = (who: number, which: number | null): Command =>
  command(`solo(${who}, ${which ?? 'nothing'})`, canClaim, async (model, { store }) => {
    const worker = at(model.workers, who);
    const task = which === null ? null : at(model.tasks, which);
    expect(await store.workers.setSolo(worker.id, task === null ? null : bytesOf(task.id))).toBe(worker.state === 'live');
    if (worker.state === 'live') worker.solo = task;
  });

const takeBack = (): Command =>
  command('takeBack', always, async (model, { store }) => {
    expect((await store.sweeper.takeBack()).taken).toBe(model.takeBack());
  });

const seize = (): Command =>
  command('takeOver', always, async (model, { store }) => {
    expect(await takeOver(store.database, store.workers, store.sweeper)).toBe(model.takeOver());
  });

/** The same thing twice within one millisecond is told once, which no people do and this test would. */
async function nextMillisecond(store: Store): Promise<void> {
  for (const from = await store.now(); (await store.now()) === from;);
}

const operate = (how: 'cancel' | 'retry' | 'edit' | 'discard', which: number): Command =>
  command(`${how}(${which})`, hasTasks, async (model, { store }) => {
    const task = mostly(model.tasks, which, ({ state }) => (how === 'cancel' ? state === 'running' : state === 'failed'));
    await nextMillisecond(store);
    const payload = how === 'edit' ? `{"n":${(which % 2) + 1}}` : null;
    const asked = {
      cancel: () => store.canceller.cancel('acme', task.id, 'someone'),
      discard: () => store.discarder.discard('acme', task.id, 'someone'),
      retry: () => store.retrier.retry('acme', task.id, 'someone'),
      edit: () => store.retrier.retry('acme', task.id, 'someone', { payload: String(payload) }),
    }[how]();
    const allowed = how === 'cancel' ? model.cancel(task) : how === 'discard' ? model.discard(task) : model.retry(task, payload);
    if (allowed) expect((await asked).state).toBe(task.state);
    else await expect(asked).rejects.toBeInstanceOf(InvalidState);
  });

const pass = (which: number): Command =>
  command(
    `pass(${which})`,
    (model) => model.tasks.some(({ timers }) => timers.size > 0),
    async (model, { store }) => {
      const [task, kind] = at(
        model.tasks.flatMap((each) => [...each.timers.keys()].map((name) => [each, name] as const)),
        which,
      );
      task.timers.set(kind, true);
      if (kind === 'expire' || kind === 'deadline') task.over = true;
      await store.makeDue(task.id, kind);
    },
  );

const promote = (isLate: boolean): Command =>
  command(isLate ? 'promoteAll' : 'promote', always, async (model, { store }) => {
    const waiting = isLate ? model.tasks.filter(({ timers }) => timers.has('run')) : [];
    for (const task of waiting) {
      task.timers.set('run', true);
      await store.makeDue(task.id, 'run');
    }
    expect((await store.promoter.promote()).taken).toBe(model.promote());
  });

const expire = (kind: Exclude<TimerName, 'run'>): Command =>
  command(`expire(${kind})`, always, async (model, { store }) => {
    expect((await store.expirer.expire(kind)).taken).toBe(model.expire(kind));
  });

const door = (isOpen: boolean): Command =>
  command(`door(${isOpen ? 'open' : 'shut'})`, always, async (model, { store }) => {
    model.isOpen = isOpen;
    store.doorbell.window = isOpen ? 'open' : 'shut';
  });

/** A task that was rung so long ago that nobody can have heard. */
const tire = (which: number): Command =>
  command(`tire(${which})`, hasTasks, async (model, { store }) => {
    const task = at(model.tasks, which);
    await store.doorbell.forget();
    const tired = await store.raw.execute(
      sql`UPDATE tasks SET rung_at = 1 WHERE id = ${bytesOf(task.id)} AND state = 'queued' AND phase = 'live'`,
    );
    expect(tired).toBe(task.state === 'queued' && task.phase === 'live' ? 1 : 0);
    if (tired === 1) task.stale = true;
  });

const reconcile = (): Command =>
  command('reconcile', always, async (model, { store }) => {
    expect(await store.reconciler.reconcile(NEVER)).toBe(model.reconcile());
  });

const setAside = (which: readonly number[]): Command =>
  command(`setAside([${which.join(' ')}])`, hasTasks, async (model, { store }) => {
    const tasks = [...new Set(which.map((pick) => at(model.tasks, pick)))];
    model.setAside(tasks);
    await store.ringer.setAside(idsOf(tasks));
  });

/** Some states are kept for ever, and of the others not even what ended a moment ago. */
const prune = (states: readonly (typeof ENDS)[number][]): Command =>
  command(`prune(${states.join(' ')})`, always, async (model, { store }) => {
    const kept = Object.fromEntries(ENDS.map((state) => [state, states.includes(state) ? NO_RETENTION_MS : DECADE_MS]));
    const tasks = kept as Record<(typeof ENDS)[number], number>;
    const pruner = store.prunerOf({ tasks, idempotencyMs: DECADE_MS, workersMs: DECADE_MS });
    expect(await pruner.prune()).toEqual({ deleted: model.prune(states), again: false });
  });

const pick = fc.nat({ max: 1_000 });
const few = fc.array(pick, { minLength: 1, maxLength: 4 });
/** How often each comes up: what moves tasks on more often than what ends them. */
const WEIGHTED: readonly (readonly [number, fc.Arbitrary<Command>])[] = [
  [
    12,
    fc
      .tuple(
        fc.constantFrom('echo', 'echo', 'ghost'),
        fc.oneof(
          { weight: 2, arbitrary: fc.constant([]) },
          { weight: 1, arbitrary: fc.subarray<TimerName>(['run', 'expire', 'deadline']) },
        ),
        fc.constantFrom(null, null, null, null, 'k', 'l'),
        fc.constantFrom('a', 'a', 'b'),
      )
      .map((options) => submit(...options)),
  ],
  [4, fc.constant(hire())],
  [14, fc.tuple(pick, few).map((options) => claim(...options))],
  [6, fc.tuple(pick, fc.integer({ min: 1, max: 3 })).map((options) => claimBacklog(...options))],
  [
    14,
    fc
      .tuple(
        fc.array(fc.tuple(pick, pick), { minLength: 1, maxLength: 4 }),
        fc.constantFrom('none' as const, 'none' as const, 'loseAnswer' as const, 'loseCommit' as const),
      )
      .map((options) => settle(...options)),
  ],
  [2, fc.tuple(pick, pick).map((options) => settleTwice(...options))],
  [1, fc.tuple(pick, pick, pick).map((options) => forge(...options))],
  [2, pick.map(write)],
  [4, fc.tuple(fc.constantFrom('lose' as const, 'survive' as const), pick).map((options) => employ(...options))],
  [2, fc.tuple(fc.constantFrom('drain' as const, 'stop' as const, 'beat' as const), pick).map((options) => employ(...options))],
  [1, fc.tuple(pick, fc.option(pick)).map((options) => solo(...options))],
  [3, fc.constant(takeBack())],
  [1, fc.constant(seize())],
  [2, pick.map((which) => operate('cancel', which))],
  [3, fc.tuple(fc.constantFrom('retry' as const, 'edit' as const, 'discard' as const), pick).map((options) => operate(...options))],
  [4, pick.map(pass)],
  [6, fc.constantFrom(true, true, false).map(promote)],
  [2, fc.constantFrom('expire' as const, 'deadline' as const, 'unhandled' as const).map(expire)],
  [1, fc.boolean().map(door)],
  [2, pick.map(tire)],
  [1, fc.constant(reconcile())],
  [1, few.map(setAside)],
  [1, fc.subarray([...ENDS]).map(prune)],
];

export const COMMANDS: fc.Arbitrary<Command>[] = WEIGHTED.flatMap(([weight, arbitrary]) => Array.from({ length: weight }, () => arbitrary));
