/**
 * The REST front in this process, over HTTP on a port of its own, with ports that keep tasks in memory. It shows what the
 * front does with a request before any store sees it; what the stores do is shown elsewhere, on real ones.
 */
import 'reflect-metadata';
import { randomBytes, randomUUID } from 'node:crypto';
import { Global, Module, type DynamicModule, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AuditLog } from '@app/audit';
import { AuthModule, issueToken, KeyPepper, Revocations, RevocationStore, SCOPES, SigningKey, TokenKeys, type Scope } from '@app/auth';
import { Config, loadConfig, type Environment } from '@app/config';
import { IdempotencyKeyReused, InvalidState, NotFound } from '@app/errors';
import { Database } from '@app/database';
import { KnownHandlers, type HandlerFacts } from '@app/handlers';
import { Clock, Conditions, Loops, Shutdown } from '@app/lifecycle';
import {
  AttemptLimits,
  defaultLimits,
  LimitBook,
  LimitSetter,
  RateLimiter,
  RateTaker,
  TenantUsage,
  type LimitChange,
  type TenantRate,
} from '@app/limits';
import {
  BulkOperations,
  DeadLetters,
  Queues,
  TaskCanceller,
  TaskDiscarder,
  TaskReader,
  TaskRehearser,
  TaskRetrier,
  TaskSubmitter,
  TaskTimeline,
  TaskWaiter,
  Workers,
  type BulkView,
  type NewBulk,
  type NewTask,
  type QueueView,
  type Rehearsed,
  type RetryChange,
  type Submitted,
  type TaskFilter,
  type TaskPage,
  type TaskView,
  type Timeline,
} from '@app/tasks';
import { createLogger, Logger } from '@app/telemetry';
import { WIDE_LIMITS } from './wide-limits.js';
import { ApiModule } from '../../apps/server/api/api.module.js';
import { configureApi } from '../../apps/server/api/configure-api.js';
import { MemoryKeys } from './memory-keys.js';
import { MemoryRates } from './memory-rates.js';
import { MemoryRevocations } from './memory-revocations.js';

const STOP_MS = 5_000;

export class TestClock extends Clock {
  private passed = 0;

  now(): number {
    return Date.UTC(2026, 0, 1) + this.passed;
  }

  monotonic(): number {
    return this.passed;
  }

  advance(ms: number): void {
    this.passed += ms;
  }
}

/** All the ports at once. `failure` makes the next call reject. */
export class MemoryTasks {
  readonly submitted: NewTask[] = [];
  readonly tasks = new Map<string, TaskView>();
  readonly waits: { timeoutMs: number; aborted: boolean }[] = [];
  readonly queueCalls: string[] = [];
  /** What operators asked for, in order. */
  readonly operatorCalls: Record<string, unknown>[] = [];
  readonly bulks: NewBulk[] = [];
  readonly limitChanges: LimitChange[] = [];
  private readonly keys = new Map<string, { id: string; fingerprint: string }>();
  failure: unknown = null;
  /** What the process knows of handlers. */
  readonly handlers = new Map<string, HandlerFacts>();
  /** What `wait` answers. */
  outcome: 'finished' | 'timeout' | 'hang' = 'timeout';

  async submit(task: NewTask): Promise<Submitted> {
    this.failIfTold();
    const key = task.idempotency?.keyHash.toString('hex');
    const fingerprint = task.idempotency?.fingerprint.toString('hex') ?? '';
    const known = key === undefined ? undefined : this.keys.get(`${task.tenant} ${key}`);
    if (known !== undefined) {
      if (known.fingerprint !== fingerprint) {
        throw new IdempotencyKeyReused();
      }
      return { task: await this.get(task.tenant, known.id), replayed: true };
    }
    this.submitted.push(task);
    const view = viewOf(task);
    this.tasks.set(view.id, view);
    if (key !== undefined) {
      this.keys.set(`${task.tenant} ${key}`, { id: view.id, fingerprint });
    }
    return { task: view, replayed: false };
  }

  /** The rehearser port. */
  async rehearse(tenant: string, tasks: readonly NewTask[]): Promise<Rehearsed[]> {
    this.failIfTold();
    return tasks.map(({ idempotency, delayMs, runAt, queue }) => {
      const known = this.keys.get(`${tenant} ${idempotency?.keyHash.toString('hex')}`);
      return { replayOf: known?.id ?? null, queuePaused: queue === 'paused', delayed: delayMs !== null || runAt !== null };
    });
  }

  submitMany(tasks: readonly NewTask[]): Promise<PromiseSettledResult<Submitted>[]> {
    return Promise.allSettled(tasks.map((task) => this.submit(task)));
  }

  async get(tenant: string, id: string): Promise<TaskView> {
    this.failIfTold();
    const task = this.tasks.get(id);
    if (task === undefined || task.tenant !== tenant) {
      throw new NotFound();
    }
    return task;
  }

  async attempts(tenant: string, id: string) {
    await this.get(tenant, id);
    return [{ attempt: 1, outcome: 'succeeded' as const, workerId: 'w', startedAt: 1, finishedAt: 2, error: null, result: 1 }];
  }

  /** The timeline port. */
  async of(tenant: string, id: string): Promise<Timeline> {
    const { createdAt, createdBy } = await this.get(tenant, id);
    const detail = { from: 'scheduled', dueAt: createdAt + 500, lateMs: 500 };
    return {
      items: [
        { at: createdAt, kind: 'submitted', state: 'scheduled', actor: createdBy, detail: { runAt: createdAt + 500 } },
        { at: createdAt + 1_000, kind: 'promoted', state: 'queued', detail },
        { at: createdAt + 1_001, kind: 'started', state: 'running', attempt: 1, workerId: 'w' },
        { at: createdAt + 1_002, kind: 'ended', attempt: 1, workerId: 'w', outcome: 'failed', error: { code: 'c', message: 'm' } },
      ],
      truncated: false,
    };
  }

  async list(tenant: string, filter: TaskFilter, page: { limit: number; cursor: string | null }): Promise<TaskPage> {
    const all = [...this.tasks.values()].filter((task) => task.tenant === tenant && (filter.state ?? task.state) === task.state).reverse();
    const start = page.cursor === null ? 0 : all.findIndex((task) => task.id === page.cursor) + 1;
    const items = all.slice(start, start + page.limit);
    return { items, nextCursor: start + page.limit < all.length ? (items.at(-1)?.id ?? null) : null };
  }

  async cancel(tenant: string, id: string, actor: string, reason: string): Promise<TaskView> {
    const task = await this.get(tenant, id);
    this.operatorCalls.push({ action: 'cancel', actor, reason });
    return this.change(task, 'cancelled');
  }

  async retry(tenant: string, id: string, actor: string, change: RetryChange): Promise<TaskView> {
    const task = await this.get(tenant, id);
    if (task.state === 'queued') {
      throw new InvalidState('A queued task cannot be retried.');
    }
    this.operatorCalls.push({ action: 'retry', actor, ...change });
    return this.change(task, 'queued');
  }

  async discard(tenant: string, id: string, actor: string, reason: string): Promise<TaskView> {
    const task = await this.get(tenant, id);
    this.operatorCalls.push({ action: 'discard', actor, reason });
    return { ...this.change(task, 'failed'), discarded: true };
  }

  wait(tenant: string, id: string, timeoutMs: number, signal: AbortSignal): Promise<TaskView | null> {
    const entry = { timeoutMs, aborted: false };
    this.waits.push(entry);
    if (this.outcome === 'finished') {
      return this.get(tenant, id).then((task) => this.change(task, 'succeeded'));
    }
    if (this.outcome === 'timeout') {
      return Promise.resolve(null);
    }
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        entry.aborted = true;
        resolve(null);
      });
    });
  }

  private change(task: TaskView, state: TaskView['state']): TaskView {
    const changed = { ...task, state, finishedAt: state === 'queued' ? null : task.createdAt + 1 };
    this.tasks.set(task.id, changed);
    return changed;
  }

  private failIfTold(): void {
    if (this.failure !== null) {
      throw this.failure;
    }
  }
}

/** All that the front itself asks of the database: whether it is there, and how many wait for it. */
export class FrontDatabase {
  waiting = 0;
  longestWaitMs = 0;
  isAway = false;

  async query(): Promise<object[]> {
    if (this.isAway) throw new Error('the database is away');
    return [];
  }
}

export interface Front {
  readonly url: string;
  readonly app: NestExpressApplication;
  readonly tasks: MemoryTasks;
  readonly keys: MemoryKeys;
  readonly clock: TestClock;
  readonly revocations: MemoryRevocations;
  readonly database: FrontDatabase;
  readonly rates: MemoryRates;
  /** What each tenant may; the settings where nothing is set. */
  readonly tenantRates: Map<string, TenantRate>;
  /** The lines logged so far, parsed. */
  readonly lines: Record<string, unknown>[];
  token(options?: { tenant?: string; subject?: string; scopes?: readonly Scope[]; ttlMs?: number }): string;
  /** A request with a token of the tenant `t1` and all scopes, unless told otherwise. */
  call(path: string, init?: RequestInit & { duplex?: 'half' }): Promise<Response>;
  /** POSTs a text as JSON. */
  post(path: string, body: string | object | null, headers?: Record<string, string>): Promise<Response>;
  close(): Promise<void>;
}

/** Starts a front. `controllers` are put beside those of the api. */
export async function startFront(environment: Environment = {}, controllers: Type[] = []): Promise<Front> {
  const tasks = new MemoryTasks();
  const clock = new TestClock();
  const keys = new MemoryKeys(clock);
  const database = new FrontDatabase();
  const rates = new MemoryRates(clock);
  const tenantRates = new Map<string, TenantRate>();
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) };
  const secret = { AUTH_JWT_SECRET: randomBytes(32).toString('hex') };
  const config = loadConfig({
    DATABASE_URL: 'sqlite:never-opened.db',
    // The clock of a front stands still, so whoever tries a hundred bad tokens would have used up his minute for ever.
    ...{ RATE_FAILURES_PER_MINUTE: '100000', RATE_ANONYMOUS_PER_MINUTE: '1000000' },
    // And when it is moved, that is not the event loop standing still.
    OVERLOAD_LOOP_DELAY_MS: '60000',
    ...('AUTH_JWT_PUBLIC_KEY' in environment || 'AUTH_JWKS_URL' in environment ? {} : secret),
    ...environment,
  });
  const logger = createLogger({ level: 'debug', format: 'json', role: 'api', destination });
  const revocations = new MemoryRevocations(clock);
  const values = new Map<unknown, unknown>([
    [Config, config],
    [Clock, clock],
    [Logger, logger],
    [Database, database],
    [Loops, new Loops()],
    [Conditions, new Conditions()],
    [Shutdown, new Shutdown()],
    [RevocationStore, revocations],
    [Revocations, new Revocations(revocations, clock, config.authRevocationStaleMs)],
    ...limiters(config, clock, rates, tenantRates),
  ]);
  const module = frontModule(values, tasks, keys, controllers);
  const app = await NestFactory.create<NestExpressApplication>(module, { logger: false, bodyParser: false, forceCloseConnections: true });
  configureApi(app);
  await app.listen(0, '127.0.0.1');
  const url = (await app.getUrl()).replace('[::1]', '127.0.0.1');
  const key = app.get(TokenKeys, { strict: false });
  const canSign = key instanceof SigningKey && key.canSign;
  keys.pepper = app.get(KeyPepper, { strict: false });

  const token: Front['token'] = ({ tenant = 't1', subject = 'tester', scopes = SCOPES, ttlMs = 60_000 } = {}) =>
    issueToken(key as SigningKey, clock, { tenant, subject, scopes, ttlMs });
  const call: Front['call'] = (path, init = {}) =>
    fetch(`${url}${path}`, {
      ...init,
      headers: { ...(canSign ? { authorization: `Bearer ${token()}` } : {}), ...(init.headers as Record<string, string>) },
    });
  const post: Front['post'] = (path, body, headers = {}) =>
    call(path, {
      method: 'POST',
      body: typeof body === 'object' && body !== null ? JSON.stringify(body) : body,
      headers: { 'content-type': 'application/json', ...headers },
    });
  const close = async (): Promise<void> => {
    await app.get(Shutdown, { strict: false }).run('drain', STOP_MS);
    await app.close();
  };
  return { url, app, tasks, keys, clock, revocations, database, rates, tenantRates, lines, token, call, post, close };
}

function limiters(config: Config, clock: Clock, rates: MemoryRates, tenantRates: ReadonlyMap<string, TenantRate>): [unknown, unknown][] {
  const taker = new RateTaker(rates, clock, () => undefined);
  const book = { of: (tenant: string) => tenantRates.get(tenant) ?? defaultLimits(config) };
  const { rateLeaseMs: leaseMs, rateWaitMs: waitMs, rateCredentialPercent: credentialPercent, rateRememberedMax: rememberedMax } = config;
  const { rateFailuresPerMinute: failuresPerMinute, rateAnonymousPerMinute: anonymousPerMinute } = config;
  return [
    [RateLimiter, new RateLimiter(book, taker, clock, { leaseMs, waitMs, credentialPercent, rememberedMax })],
    [AttemptLimits, new AttemptLimits(taker, clock, { failuresPerMinute, anonymousPerMinute, rememberedMax })],
  ];
}

function frontModule(values: ReadonlyMap<unknown, unknown>, tasks: MemoryTasks, keys: MemoryKeys, controllers: Type[]): DynamicModule {
  class FrontModule {}
  Module({})(FrontModule);
  Global()(FrontModule);
  const ports = [TaskSubmitter, TaskReader, TaskRehearser, TaskCanceller, TaskRetrier, TaskDiscarder, TaskTimeline, TaskWaiter].map(
    (provide) => ({
      provide,
      useValue: tasks,
    }),
  );
  const given = [...values].map(([provide, useValue]) => ({ provide: provide as Type, useValue }));
  const providers = [
    ...given,
    ...ports,
    ...keys.providers(),
    { provide: KnownHandlers, useValue: { find: (name: string) => tasks.handlers.get(name) } },
    { provide: Queues, useValue: queuesOver(tasks) },
    { provide: BulkOperations, useValue: bulkOver(tasks) },
    { provide: DeadLetters, useValue: deadLetters },
    { provide: AuditLog, useValue: audit },
    ...limitsOver(tasks),
    { provide: Workers, useValue: { list: async () => [worker()] } },
  ];
  return { module: FrontModule, imports: [ApiModule, AuthModule], controllers, providers, exports: providers };
}

/** One operation that is running, whoever asks and whatever was started. */
function bulkOver(tasks: MemoryTasks) {
  const bulk: BulkView = {
    ...{ id: '0190a8f0-0000-7000-8000-00000000b01c', action: 'retry', filter: { name: 'echo', createdAfter: 1 }, state: 'running' },
    ...{ ratePerSecond: 5, examined: 3, done: 2, skipped: 1, requestedBy: 'tester', reason: 'why not', error: null },
    ...{ createdAt: 1, updatedAt: 2, finishedAt: null },
  };
  const known = async (tenant: string, id: string): Promise<BulkView> => {
    if (tenant !== 't1' || id !== bulk.id) throw new NotFound('bulk operation');
    return bulk;
  };
  return {
    get: known,
    abort: async (tenant: string, id: string, actor: string, reason: string) => {
      const aborted = { ...(await known(tenant, id)), state: 'aborted', finishedAt: 3 };
      tasks.operatorCalls.push({ action: 'abort', actor, reason });
      return aborted;
    },
    list: async (tenant: string, { cursor }: { cursor: string | null }) =>
      cursor === null && tenant === 't1' ? { items: [bulk], nextCursor: bulk.id } : { items: [], nextCursor: null },
    start: async (wanted: NewBulk) => {
      const replayed = wanted.idempotency !== null && tasks.bulks.some(({ idempotency }) => idempotency !== null);
      tasks.bulks.push(wanted);
      return { operation: bulk, replayed };
    },
  };
}

const deadLetters = {
  summary: async () => {
    const group = { reason: 'poison', name: 'echo', queue: 'default', count: 2, oldestFinishedAt: 1, newestFinishedAt: 2 };
    return { total: 2, countedUpTo: 10_000, groups: [group] };
  },
};

const audit = {
  list: async (tenant: string, filter: object, { cursor }: { cursor: string | null }) => {
    const id = '0190a8f0-0000-7000-8000-0000000a0d17';
    const entry = { id, at: 1, actor: 'tester', action: 'task.retry', target: tenant, reason: 'why not', detail: { filter } };
    return cursor === null ? { items: [entry], nextCursor: id } : { items: [], nextCursor: null };
  },
};

/** Wide limits for everybody, of which little is used; what was set is shown and has no effect. */
function limitsOver(tasks: MemoryTasks) {
  const rowsOf = async (tenant: string) =>
    tasks.limitChanges
      .filter((change) => change.tenant === tenant)
      .flatMap(({ queue, limits, actor, reason }) =>
        Object.entries(limits).map(([name, value]) => ({ queue, name, value, setAt: 1, setBy: actor, reason })),
      );
  return [
    { provide: LimitBook, useValue: { of: () => WIDE_LIMITS, ofQueue: () => ({ 'queue.depth': 9 }), refresh: async () => undefined } },
    { provide: LimitSetter, useValue: { set: async (change: LimitChange) => void tasks.limitChanges.push(change), rowsOf } },
    { provide: TenantUsage, useValue: { of: async () => ({ tasks: 3, payloadBytes: 21, queues: new Map([['reports', 2]]) }) } },
  ];
}

function queuesOver(tasks: MemoryTasks) {
  const note = async (call: string, reason: string, name: string, paused: boolean): Promise<QueueView> => {
    tasks.queueCalls.push(reason === '' ? call : `${call}: ${reason}`);
    return queueOf(name, paused);
  };
  return {
    list: async () => [queueOf('default', false)],
    pause: (tenant: string, name: string, _actor: string, reason: string) => note(`pause ${tenant} ${name}`, reason, name, true),
    resume: (tenant: string, name: string, _actor: string, reason: string) => note(`resume ${tenant} ${name}`, reason, name, false),
    pauseEverywhere: (_tenant: string, name: string, _actor: string, reason: string) => note(`pause * ${name}`, reason, name, true),
    resumeEverywhere: (_tenant: string, name: string, _actor: string, reason: string) => note(`resume * ${name}`, reason, name, false),
  };
}

function queueOf(name: string, paused: boolean): QueueView {
  const depth = { scheduled: 0, queued: 2, running: 0, retrying: 0, failed: 0 };
  return { name, paused, pausedAt: paused ? 1 : null, pausedBy: paused ? 'tester' : null, depth, countedUpTo: 1_000, oldestQueuedAgeMs: 5 };
}

function worker() {
  const times = { startedAt: 1, heartbeatAt: 2 };
  return { id: 'w', host: 'h', pid: 1, state: 'live', queues: ['default'], handlers: ['echo'], concurrency: 1, ...times };
}

function viewOf(task: NewTask): TaskView {
  const createdAt = Date.UTC(2026, 0, 1);
  return {
    id: randomUUID(),
    tenant: task.tenant,
    name: task.name,
    queue: task.queue,
    priority: task.priority,
    state: 'queued',
    reason: null,
    discarded: false,
    payload: JSON.parse(task.payload) as unknown,
    result: null,
    lastError: null,
    attempt: 0,
    failures: 0,
    crashes: 0,
    maxAttempts: task.maxAttempts,
    retry: task.retry,
    progress: null,
    tags: task.tags,
    metadata: task.metadata,
    runAt: task.runAt ?? createdAt,
    timeoutMs: task.timeoutMs,
    expiresAt: task.expiresAt,
    deadlineAt: null,
    createdAt,
    createdBy: task.createdBy,
    updatedAt: createdAt,
    startedAt: null,
    finishedAt: null,
    cancelRequested: false,
  };
}
