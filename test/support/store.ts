/**
 * The task store on a real, migrated database, put together as a role would, with a clock that the test sets and a doorbell and
 * a database that can have accidents. `openStore` once per suite; `check` after every test says what is broken and empties it.
 */
import { randomBytes, createHash } from 'node:crypto';
import { AuditLog } from '@app/audit';
import { idBytes, migrate, openDatabase, type Row, RowIds, sql, type Sql } from '@app/database';
import { Clock, Drain, SystemClock } from '@app/lifecycle';
import { LimitBook, TenantUsage } from '@app/limits';
import { InProcessDoorbell, RedisDoorbell, type Doorbell } from '@app/queue';
import {
  AbandonedResources,
  BulkOperations,
  BulkRunner,
  DeadLetters,
  HistoryPruner,
  LimitedClaimer,
  Queues,
  Ringer,
  TaskCanceller,
  TaskCheckpoints,
  ClaimNotes,
  TaskClaimer,
  TaskDiscarder,
  TaskExpirer,
  TaskOperator,
  TaskProgressWriter,
  TaskPromoter,
  TaskQuotas,
  TaskReader,
  TaskReconciler,
  TaskResources,
  TaskRetrier,
  TaskSettler,
  TaskSubmitter,
  TaskSweeper,
  TaskTimeline,
  TaskWaiter,
  UsageRecounter,
  Workers,
  type ClaimedTask,
  type IdempotencyClaim,
  type NewTask,
  type Registration,
  type Retention,
  type Settled,
  type TaskView,
  type Verdict,
} from '@app/tasks';
import { ENTITIES } from '../../apps/server/entities.js';
import type { Backend } from './backends.js';
import { FaultyDatabase } from './faulty-database.js';
import { brokenRules } from './store-invariants.js';
import { TappedDoorbell } from './tapped-doorbell.js';
import { until } from './until.js';
import { WIDE_LIMITS } from './wide-limits.js';

export const LEASE_MS = 15_000;
export const LOOK_EVERY_MS = 5_000;
export const POISON_CRASHES = 3;
export const UNHANDLED_GRACE_MS = 60_000;
export const BULK_RUNNING_MAX = 3;
export const RECONCILE_GRACE_MS = 30_000;
/** How often a resource is looked at while its task goes on. */
export const LOOK_MS = 10_000;
const HOUR_MS = 3_600_000;
export const RETENTION = {
  tasks: { succeeded: 24 * HOUR_MS, failed: 240 * HOUR_MS, cancelled: 48 * HOUR_MS, expired: 72 * HOUR_MS },
  idempotencyMs: 24 * HOUR_MS,
  workersMs: 24 * HOUR_MS,
  auditMs: 24 * HOUR_MS,
  bulkMs: 24 * HOUR_MS,
};
/** A retention under which even what ended in this millisecond is old enough. */
export const NO_RETENTION_MS = -HOUR_MS;
/** A count is good for so long: whoever has just counted is not counted again at once. */
const RECOUNT_MS = 60_000;

const TABLES = [
  'tasks',
  'attempts',
  'timers',
  'idempotency_keys',
  'task_tags',
  'task_progress',
  'cancel_requests',
  'workers',
  'queues',
  'running_turns',
  'claim_notes',
  'task_events',
  'task_checkpoints',
  'task_resources',
  'audit_entries',
  'bulk_operations',
  'api_keys',
  'api_key_turns',
  'token_revocations',
  'limits',
  'usage_returns',
];

/** A clock that stands still until it is moved. */
export class ManualClock extends Clock {
  private elapsedMs = 1_000_000;

  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return this.elapsedMs;
  }

  advance(ms: number): void {
    this.elapsedMs += ms;
  }
}

export function newTask(options: Partial<NewTask> = {}): NewTask {
  return {
    tenant: 'acme',
    name: 'echo',
    queue: 'default',
    priority: 0,
    payload: '{"n":1}',
    runAt: null,
    delayMs: null,
    maxAttempts: null,
    retry: null,
    timeoutMs: null,
    expiresAt: null,
    deadlineMs: null,
    tags: [],
    metadata: null,
    createdBy: 'tester',
    idempotency: null,
    ...options,
  };
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

export function keyed(key: string, body = 'the same body'): IdempotencyClaim {
  return { keyHash: sha256(key), fingerprint: sha256(body) };
}

export const bytesOf = (id: string): Buffer => {
  const bytes = idBytes(id);
  if (bytes === null) throw new Error(`${id} is no task id`);
  return bytes;
};

/** Error values of the verdicts, for brevity. */
export const OOPS = { code: 'oops', message: 'It went wrong.' };

/** Repeats a step until it takes nothing more; returns how much it took in all. */
export async function takeAll(step: () => Promise<{ taken: number }>): Promise<number> {
  for (let total = 0; total < 10_000;) {
    const { taken } = await step();
    if (taken === 0) return total;
    total += taken;
  }
  throw new Error('it takes the same again and again');
}

export type Store = Awaited<ReturnType<typeof openStore>>;

export async function openStore(backend: Backend) {
  const url = await backend.databaseUrl();
  const opened = await openDatabase({
    url,
    entities: ENTITIES,
    poolSize: 12,
    connectTimeoutMs: 5_000,
    acquireTimeoutMs: 10_000,
    statementTimeoutMs: 10_000,
    lockTimeoutMs: 3_000,
    idleTransactionTimeoutMs: 60_000,
    tls: 'off',
    bootTimeoutMs: 10_000,
  });
  await migrate(opened.dataSource);
  const database = new FaultyDatabase(opened.database);
  const doorbell = new TappedDoorbell(await doorbellOf(backend));
  const clock = new ManualClock();
  const drain = new Drain();
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  const ringer = new Ringer(database, doorbell, onError);
  const reader = new TaskReader(database);
  const ids = new RowIds(new SystemClock());
  const book = new LimitBook(opened.database, WIDE_LIMITS, 10_000, () => undefined);
  const quotasOf = () => new TaskQuotas(database, book, ids);
  const quotas = quotasOf();
  const submitterOf = (runnable: { has(name: string): boolean } | null = null) =>
    new TaskSubmitter(database, ringer, reader, new RowIds(new SystemClock()), quotasOf(), runnable);
  const notes = new ClaimNotes(database);
  const sweeperOf = (ownClock: Clock = clock) => new TaskSweeper(database, ringer, quotas, notes, ownClock, POISON_CRASHES, LOOK_EVERY_MS);
  const settlerOf = () => new TaskSettler(database, ringer, quotas, UNHANDLED_GRACE_MS, onError);
  const operator = new TaskOperator(database, reader, ringer, ids, quotas);
  const claimer = new TaskClaimer(database);
  const submitter = submitterOf();
  const settler = settlerOf();
  const workers = new Workers(database);
  const raw = opened.database;
  const recounter = new UsageRecounter(raw, RECOUNT_MS);

  async function row(id: string): Promise<Row & Record<'state' | 'phase' | 'reason' | 'ended', string> & Record<string, unknown>> {
    const [found] = await raw.query(sql`SELECT * FROM tasks WHERE id = ${bytesOf(id)}`);
    if (found === undefined) throw new Error(`there is no task ${id}`);
    return found as Awaited<ReturnType<typeof row>>;
  }

  return {
    backend,
    /** Where the database is. */
    url,
    dataSource: opened.dataSource,
    /** With accidents; what the actors use. */
    database,
    /** Without. */
    raw,
    doorbell,
    clock,
    drain,
    /** What the actors reported and went on from. */
    errors,
    ringer,
    reader,
    claimer,
    /** Leaves a note for as few as two tasks. */
    notingClaimer: new TaskClaimer(database, 2),
    notes,
    limitedClaimer: new LimitedClaimer(database),
    submitter,
    settler,
    workers,
    submitterOf,
    sweeperOf,
    settlerOf,
    promoter: new TaskPromoter(database, ringer),
    expirer: new TaskExpirer(database, quotas, UNHANDLED_GRACE_MS),
    sweeper: sweeperOf(),
    canceller: new TaskCanceller(database, operator),
    retrier: new TaskRetrier(operator),
    discarder: new TaskDiscarder(operator),
    deadLetters: new DeadLetters(database),
    audit: new AuditLog(database),
    ids,
    book,
    quotas,
    usage: new TenantUsage(database),
    /** For a test that has changed rows by hand: the usage is right again. */
    async recount(): Promise<void> {
      await this.nameQueues();
      await raw.execute(sql`UPDATE tenant_usage SET counted_at = 0`);
      await takeAll(() => recounter.step());
    },

    /** Submitters name a queue once; it was forgotten with the test before. The recount looks for tasks by the names. */
    async nameQueues(): Promise<void> {
      await raw.execute(
        sql`INSERT INTO queues (tenant, name, paused_at, paused_by, created_at) SELECT DISTINCT tenant, queue, 0, '', 1 FROM tasks WHERE NOT EXISTS (SELECT 1 FROM queues WHERE queues.tenant = tasks.tenant AND queues.name = tasks.queue)`,
      );
    },
    bulk: new BulkOperations(database, ids, BULK_RUNNING_MAX),
    bulkRunnerOf: () => new BulkRunner(database, ringer, quotas),
    reconciler: new TaskReconciler(database, doorbell, RECONCILE_GRACE_MS),
    timeline: new TaskTimeline(database),
    waiter: new TaskWaiter(database, reader, drain),
    queues: new Queues(database, ids),
    progress: new TaskProgressWriter(database),
    checkpoints: new TaskCheckpoints(database),
    resources: new TaskResources(database, new RowIds(new SystemClock()), LOOK_MS),
    abandoned: new AbandonedResources(database, LOOK_MS),
    prunerOf: (retention: Partial<Retention> = {}) => new HistoryPruner(database, { ...RETENTION, ...retention }),

    row,

    /** Raw attempt rows, oldest first, without the times. */
    async attempts(id: string): Promise<Row[]> {
      return raw.query(
        sql`SELECT attempt, outcome, worker_id, error_code, error_message, result FROM attempts WHERE task_id = ${bytesOf(id)} ORDER BY attempt`,
      );
    },

    /** When each timer of the task is due, by kind. */
    async timers(id: string): Promise<Record<string, number>> {
      const found = await raw.query<{ kind: string; due_at: number }>(
        sql`SELECT kind, due_at FROM timers WHERE task_id = ${bytesOf(id)} ORDER BY kind`,
      );
      return Object.fromEntries(found.map(({ kind, due_at: dueAt }) => [kind, dueAt]));
    },

    async count(statement: Sql): Promise<number> {
      const [found] = await raw.query<{ total: number }>(sql`SELECT COUNT(*) AS total FROM ${statement}`);
      return Number(found?.total);
    },

    /** The database's clock, in ms. */
    async now(): Promise<number> {
      const [found] = await raw.query<{ now: number }>(sql`SELECT ${raw.dialect.now} AS now`);
      return Number(found?.now);
    },

    async add(options: Partial<NewTask> = {}): Promise<TaskView> {
      return (await submitter.submit(newTask(options))).task;
    },

    async addMany(count: number, options: Partial<NewTask> = {}): Promise<TaskView[]> {
      const added = await Promise.all(Array.from({ length: count }, () => submitter.submit(newTask(options))));
      return added.map(({ task }) => task);
    },

    /** Registers a live worker. */
    async hire(options: Partial<Registration> = {}): Promise<Buffer> {
      const id = randomBytes(16);
      await workers.register({
        id,
        host: 'here',
        pid: 1,
        queues: ['*'],
        handlers: ['echo'],
        concurrency: 10,
        leaseMs: LEASE_MS,
        ...options,
      });
      return id;
    },

    async claim(worker: Buffer, id: string): Promise<ClaimedTask> {
      const [claimed] = await claimer.claim(worker, [bytesOf(id)]);
      if (claimed === undefined) throw new Error(`${id} could not be claimed`);
      return claimed;
    },

    settle(worker: Buffer, task: ClaimedTask, verdict: Verdict): Promise<Settled> {
      return settler.settle({ worker, task, verdict });
    },

    /** Adds a task and takes it all the way to the end that the verdict says. */
    async finish(worker: Buffer, verdict: Verdict, options: Partial<NewTask> = {}): Promise<TaskView> {
      const added = await this.add(options);
      await this.settle(worker, await this.claim(worker, added.id), verdict);
      return reader.get(added.tenant, added.id);
    },

    /** Lets the time of a timer come, and that of the task with it. */
    async makeDue(id: string, kind: 'run' | 'expire' | 'deadline' | 'unhandled'): Promise<void> {
      const column = { run: sql`run_at`, expire: sql`expires_at`, deadline: sql`deadline_at`, unhandled: null }[kind];
      await raw.execute(sql`UPDATE timers SET due_at = 1 WHERE task_id = ${bytesOf(id)} AND kind = ${kind}`);
      if (column !== null) await raw.execute(sql`UPDATE tasks SET ${column} = 1 WHERE id = ${bytesOf(id)}`);
    },

    /** Kills a worker: its row is marked as a sweeper would. */
    async bury(worker: Buffer): Promise<void> {
      await raw.execute(sql`UPDATE workers SET state = 'lost' WHERE id = ${worker}`);
    },

    /** What is broken or was ordered and never happened; then everything is empty again. */
    async check(): Promise<Record<string, unknown>> {
      await Promise.all([submitter.drained(), settler.drained()]);
      await doorbell.forget();
      const broken: Record<string, unknown> = await brokenRules(raw);
      if (database.ordered > 0) broken['accidents that never happened'] = database.ordered;
      for (const table of TABLES) await raw.execute({ text: `DELETE FROM ${table}`, values: [] });
      // Kept, because submitters know whom they have made a row for; what is in no use is zero.
      await raw.execute(sql`DELETE FROM tenant_usage WHERE queue <> ''`);
      await raw.execute(sql`UPDATE tenant_usage SET tasks = 0, payload_bytes = 0, counted_at = ${raw.dialect.now}`);
      await book.refresh();
      database.reset();
      doorbell.reset();
      errors.length = 0;
      return broken;
    },

    async close(): Promise<void> {
      drain.begin();
      settler.stop();
      await doorbell.close();
      await database.close();
    },
  };
}

async function doorbellOf(backend: Backend): Promise<Doorbell> {
  const place = backend.redisUrl();
  if (place === null) return new InProcessDoorbell(100_000, new SystemClock());
  const settings = { urls: [place.url], connectTimeoutMs: 2_000, commandTimeoutMs: 2_000, onError: () => undefined };
  const doorbell = new RedisDoorbell(settings, { prefix: place.prefix, window: 100_000, clock: new SystemClock() });
  await until(() => doorbell.answers(), { what: 'Redis to answer' });
  return doorbell;
}
