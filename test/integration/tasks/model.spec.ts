/**
 * Random histories of the store against a model that fits on a page. Every command makes the same move on both and then the
 * whole of both is compared; where they differ, fast-check finds a short history that shows it.
 */
import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { sql } from '@app/database';
import { IdempotencyKeyReused, InvalidState } from '@app/errors';
import { idText, type ClaimedTask, type Verdict } from '@app/tasks';
import { bytesOf, keyed, newTask, OOPS, type Store } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';
import { brokenRules } from '../../support/store-invariants.js';
import { StoreModel, type ModelClaim, type TimerName } from '../../support/store-model.js';

const HOUR_MS = 3_600_000;
const PLACE = { queue: 'default', lane: 'normal', tenant: 'acme' } as const;

const VERDICTS: readonly Verdict[] = [
  { kind: 'succeeded', result: '{"x":1}' },
  { kind: 'succeeded', result: 'null' },
  { kind: 'retry', delayMs: HOUR_MS, error: OOPS, timedOut: false },
  { kind: 'retry', delayMs: HOUR_MS, error: OOPS, timedOut: true },
  { kind: 'failed', reason: 'permanent_error', error: OOPS, timedOut: false },
  { kind: 'failed', reason: 'attempts_exhausted', error: OOPS, timedOut: true },
  { kind: 'cancelled', error: null },
  { kind: 'released', delayMs: 0, error: null, unhandled: false },
  { kind: 'released', delayMs: HOUR_MS, error: OOPS, unhandled: true },
  { kind: 'released', delayMs: 0, error: OOPS, unhandled: true },
];

interface Real {
  store: Store;
  claimed: Map<ModelClaim, ClaimedTask>;
}

type Command = fc.AsyncCommand<StoreModel, Real>;

const at = <T>(items: readonly T[], pick: number): T => items[pick % items.length]!;

/** Both in the same form: a line per task. */
async function compare(model: StoreModel, { store }: Real): Promise<void> {
  const tasks = await store.raw.query<Record<string, unknown> & { id: Buffer; worker_id: Buffer }>(
    sql`SELECT id, state, phase, reason, attempt, failures, crashes, worker_id FROM tasks`,
  );
  const attempts = await store.raw.query<{ task_id: Buffer; outcome: string }>(
    sql`SELECT task_id, outcome FROM attempts ORDER BY task_id, attempt`,
  );
  const timers = await store.raw.query<{ task_id: Buffer; kind: string }>(sql`SELECT task_id, kind FROM timers`);
  const cancels = await store.raw.query<{ task_id: Buffer }>(sql`SELECT task_id FROM cancel_requests`);
  const found = tasks.map((row) => {
    const of = (other: { task_id: Buffer }): boolean => other.task_id.equals(row.id);
    const worker = row['state'] === 'running' ? row.worker_id.toString('hex') : '-';
    const phase = row['state'] === 'queued' ? row['phase'] : '-';
    const asked = row['state'] === 'running' && cancels.some(of);
    const counts = `${String(row['attempt'])}/${String(row['failures'])}/${String(row['crashes'])}`;
    const kinds = timers.filter(of).map(({ kind }) => kind);
    return `${idText(row.id)} ${String(row['state'])} ${String(phase)} ${String(row['reason'])} ${counts} ${worker} ${asked} [${attempts
      .filter(of)
      .map(({ outcome }) => outcome)
      .join(' ')}] {${kinds.sort().join(' ')}}`;
  });
  const expected = model.tasks.map(
    (task) =>
      `${task.id} ${task.state} ${task.state === 'queued' ? task.phase : '-'} ${task.reason} ${task.attempt}/${task.failures}/${task.crashes} ${task.worker?.id.toString('hex') ?? '-'} ${task.cancelRequested} [${task.attempts.join(' ')}] {${[...task.timers.keys()].sort().join(' ')}}`,
  );
  expect(found.sort()).toEqual(expected.sort());
}

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
const hasTasks = (model: StoreModel): boolean => model.tasks.length > 0;
const canClaim = (model: StoreModel): boolean => hasTasks(model) && model.workers.length > 0;

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
    expect(replayed).toBe(earlier !== undefined);
    if (earlier !== undefined) expect(task.id).toBe(earlier.task.id);
    else {
      const made = model.submit(task.id, name, timers);
      if (key !== null) model.keys.set(key, { body, task: made });
    }
  });

const hire = (): Command =>
  command(
    'hire',
    (model) => model.workers.filter(({ live }) => live).length < 3,
    async (model, { store }) => {
      model.workers.push({ id: await store.hire(), live: true });
    },
  );

/** What was claimed is what the model says, and from now on both know the claims. */
function note(
  model: StoreModel,
  { claimed }: Real,
  expected: readonly StoreModel['tasks'][number][],
  worker: StoreModel['workers'][number],
  got: readonly ClaimedTask[],
): void {
  expect(got.map(({ id }) => id).sort()).toEqual(expected.map(({ id }) => id).sort());
  for (const task of expected) {
    model.claim(task, worker);
    const mine = got.find(({ id }) => id === task.id)!;
    expect(mine.attempt).toBe(task.attempt);
    claimed.set(model.claims.at(-1)!, mine);
  }
}

const claim = (who: number, which: readonly number[]): Command =>
  command(`claim(${who}, [${which.join(' ')}])`, canClaim, async (model, real) => {
    const worker = at(model.workers, who);
    // A worker never asks for what it runs already.
    const wanted = [...new Set(which.map((pick) => at(model.tasks, pick)))].filter((task) => task.worker !== worker);
    const got = await real.store.claimer.claim(
      worker.id,
      wanted.map(({ id }) => bytesOf(id)),
    );
    note(
      model,
      real,
      wanted.filter((task) => model.claimable(task)),
      worker,
      got,
    );
  });

const claimBacklog = (who: number, most: number): Command =>
  command(`claimBacklog(${who}, ${most})`, canClaim, async (model, real) => {
    const worker = at(model.workers, who);
    const first = model.tasks.filter(({ state, phase }) => state === 'queued' && phase === 'unrung').slice(0, most);
    const got = await real.store.claimer.claimBacklog(worker.id, PLACE, most, () => undefined);
    note(
      model,
      real,
      first.filter((task) => model.claimable(task)),
      worker,
      got,
    );
  });

const settle = (picks: readonly (readonly [number, number])[], accident: 'none' | 'loseAnswer' | 'loseCommit'): Command =>
  command(
    `settle(${picks.map(([which, how]) => `${which}→${how}`).join(' ')}, ${accident})`,
    (model) => model.claims.length > 0,
    async (model, { store, claimed }) => {
      const chosen = new Map(picks.map(([which, how]) => [at(model.claims, which), at(VERDICTS, how)]));
      if (accident !== 'none') store.database[accident]();
      const settling = [...chosen].map(([one, verdict]) => store.settle(one.worker.id, claimed.get(one)!, verdict));
      const results = await Promise.all(settling);
      expect(results).toEqual([...chosen].map(([one, verdict]) => model.settle(one, verdict)));
      expect(store.database.ordered).toBe(0);
    },
  );

const lose = (who: number): Command =>
  command(
    `lose(${who})`,
    (model) => model.workers.length > 0,
    async (model, { store }) => {
      const worker = at(model.workers, who);
      worker.live = false;
      await store.bury(worker.id);
    },
  );

const takeBack = (): Command =>
  command('takeBack', always, async (model, { store }) => {
    expect((await store.sweeper.takeBack()).taken).toBe(model.takeBack());
  });

const operate = (how: 'cancel' | 'retry', which: number): Command =>
  command(`${how}(${which})`, hasTasks, async (model, { store }) => {
    const task = at(model.tasks, which);
    const asked = how === 'cancel' ? store.canceller.cancel('acme', task.id, 'someone') : store.retrier.retry('acme', task.id);
    if (model[how](task)) expect((await asked).state).toBe(task.state);
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

const promote = (): Command =>
  command('promote', always, async (model, { store }) => {
    expect((await store.promoter.promote()).taken).toBe(model.promote());
  });

const expire = (kind: Exclude<TimerName, 'run'>): Command =>
  command(`expire(${kind})`, always, async (model, { store }) => {
    expect((await store.expirer.expire(kind)).taken).toBe(model.expire(kind));
  });

const pick = fc.nat({ max: 1_000 });
const COMMANDS = [
  fc
    .tuple(
      fc.constantFrom('echo', 'echo', 'ghost'),
      fc.subarray<TimerName>(['run', 'expire', 'deadline']),
      fc.constantFrom(null, null, 'k', 'l'),
      fc.constantFrom('a', 'a', 'b'),
    )
    .map((options) => submit(...options)),
  fc.constant(hire()),
  fc.tuple(pick, fc.array(pick, { minLength: 1, maxLength: 4 })).map((options) => claim(...options)),
  fc.tuple(pick, fc.integer({ min: 1, max: 3 })).map((options) => claimBacklog(...options)),
  fc
    .tuple(
      fc.array(fc.tuple(pick, pick), { minLength: 1, maxLength: 4 }),
      fc.constantFrom('none' as const, 'none' as const, 'loseAnswer' as const, 'loseCommit' as const),
    )
    .map((options) => settle(...options)),
  pick.map(lose),
  fc.constant(takeBack()),
  pick.map((which) => operate('cancel', which)),
  pick.map((which) => operate('retry', which)),
  pick.map(pass),
  fc.constant(promote()),
  fc.constantFrom('expire' as const, 'deadline' as const, 'unhandled' as const).map(expire),
];
// What moves tasks on comes up more often than what ends them.
const WEIGHTED = [...COMMANDS, COMMANDS[0]!, COMMANDS[1]!, COMMANDS[2]!, COMMANDS[2]!, COMMANDS[4]!, COMMANDS[4]!, COMMANDS[9]!];

onEveryStore('any history of the store', (current, backend) => {
  it('equals that of the model', async () => {
    const store = current();
    const runs = backend.name === 'sqlite' ? 250 : 50;
    await fc.assert(
      fc.asyncProperty(fc.commands(WEIGHTED, { maxCommands: 40, size: 'max' }), async (history) => {
        await store.check();
        store.doorbell.window = 'open';
        await fc.asyncModelRun(() => ({ model: new StoreModel(), real: { store, claimed: new Map() } }), history);
        expect(await brokenRules(store.raw)).toEqual({});
      }),
      { numRuns: runs },
    );
  }, 120_000);
});
