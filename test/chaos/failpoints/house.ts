/**
 * The installation that stays up while others die beside it: one process per role, without failpoints, on servers of its own. The
 * campaign itself looks into the same database, and plays the parts that no process plays on command: a worker that was never
 * there, a doorbell that rings for nobody.
 */
import { join } from 'node:path';
import { type Database, openDatabase, RowIds, sql, type Sql } from '@app/database';
import { SystemClock } from '@app/lifecycle';
import { LimitBook } from '@app/limits';
import { InProcessDoorbell, RedisDoorbell, type Doorbell } from '@app/queue';
import { Ringer, TaskClaimer, TaskQuotas, TaskReader, TaskSubmitter, Workers, type NewTask } from '@app/tasks';
import { ENTITIES } from '../../../apps/server/entities.js';
import { Client } from '../../support/client.js';
import { Journal } from '../../support/journal.js';
import { migrateWith } from '../../support/migrate.js';
import { App } from '../../support/process.js';
import { removeDirectory, temporaryDirectory } from '../../support/reaper.js';
import { signToken, TEST_SECRET } from '../../support/token.js';
import { bytesOf } from '../../support/store.js';
import { WIDE_LIMITS } from '../../support/wide-limits.js';
import { startServers, type Servers } from '../servers.js';

export const TENANT = 'acme';
const DAY_S = 86_400;
const READY_MS = 120_000;
/** A window that no message fits, and one that every message fits. */
const [SHUT, OPEN] = [0, Number.MAX_SAFE_INTEGER];

/** As short as the settings allow, so that a hundred deaths fit into minutes. */
const COMMON: Readonly<Record<string, string>> = {
  WORKER_LEASE_MS: '3000',
  WORKER_POLL_MS: '200',
  RECONCILE_GRACE_MS: '1000',
  POISON_CRASHES: '100',
  HEARTBEAT_TASK: 'off',
  LOG_FORMAT: 'json',
  AUTH_JWT_SECRET: TEST_SECRET,
  // Slower than those of a process that is to die there, so that it mostly is the one that gets there.
  SCHEDULER_PROMOTE_MS: '500',
  SCHEDULER_EXPIRE_MS: '1000',
  SCHEDULER_SWEEP_MS: '800',
  SCHEDULER_RECONCILE_MS: '1000',
  SCHEDULER_BULK_MS: '2000',
};

/** The worker that stays up must not lose its lease on a machine that is busy killing others: its tasks would count as theirs. */
const STAYING = { WORKER_CONCURRENCY: '16', WORKER_LEASE_MS: '30000' };

export class House {
  /** Whatever it takes from the backlog leaves a note. */
  readonly claimer: TaskClaimer;
  readonly workers: Workers;
  private readonly ids = new RowIds(new SystemClock());

  private constructor(
    private readonly servers: Servers,
    private readonly env: Readonly<Record<string, string>>,
    readonly database: Database,
    readonly journal: Journal,
    private readonly directory: string,
    private readonly apps: App[],
    readonly client: Client,
    /** To the streams that the processes use. */
    readonly doorbell: Doorbell,
  ) {
    this.claimer = new TaskClaimer(database, 1);
    this.workers = new Workers(database);
  }

  static async build(): Promise<House> {
    const servers = await startServers(null);
    const directory = temporaryDirectory('failpoints');
    const journal = new Journal(directory);
    const env = { ...COMMON, DATABASE_URL: servers.databaseUrl, REDIS_URL: servers.redis.url, HANDLERS_DIR: journal.handlersDir };
    await migrateWith(env);
    const { database } = await openDatabase({
      ...{ url: servers.databaseUrl, entities: ENTITIES, poolSize: 8, tls: 'off', bootTimeoutMs: 10_000 },
      ...{ connectTimeoutMs: 5_000, acquireTimeoutMs: 60_000, statementTimeoutMs: 60_000 },
      ...{ lockTimeoutMs: 10_000, idleTransactionTimeoutMs: 10_000 },
    });
    const apps = ['api', 'scheduler', 'worker'].map((role) => appOf({ ...env, ROLE: role, ...(role === 'worker' && STAYING) }));
    await Promise.all(apps.map((app) => app.waitForReady(READY_MS)));
    const settings = { urls: [servers.redis.url], connectTimeoutMs: 5_000, commandTimeoutMs: 5_000, onError: () => undefined };
    const doorbell = new RedisDoorbell(settings, { prefix: 'trx', window: OPEN, clock: new SystemClock() });
    return new House(servers, env, database, journal, directory, apps, clientOf(apps[0] as App), doorbell);
  }

  get versions(): string {
    return this.servers.versions;
  }

  /** One more process beside those that stay up. */
  spawn(env: Readonly<Record<string, string>>): App {
    return appOf({ ...this.env, ...env });
  }

  /** What the processes that were to stay up have logged at level error or fatal, or that they have ended. */
  troubles(): string[] {
    return this.apps.flatMap((app) => [
      ...(app.isRunning ? [] : [`a process that was to stay up has ended: ${app.stderr().slice(-500)}`]),
      ...app.unexpectedErrors().map((line) => JSON.stringify(line)),
    ]);
  }

  /** When which worker was declared lost, in ms since the epoch, by its id: as the scheduler that stays up has logged it. */
  marks(): ReadonlyMap<string, number> {
    const lines = this.apps.flatMap((app) => app.logs()).filter(({ msg }) => msg.startsWith('A worker is lost'));
    return new Map(lines.map(({ workerId, time }) => [String(workerId), Date.parse(String(time))]));
  }

  /** Stores tasks that no message will ever ring for, in two transactions at most: as ones that nobody was told of, or as ones whose message is lost. */
  async submitSilently(queue: string, name: string, as: 'unrung' | 'lost', count: number): Promise<Buffer[]> {
    const doorbell = new InProcessDoorbell(as === 'unrung' ? SHUT : OPEN, new SystemClock());
    const ringer = new Ringer(this.database, doorbell, () => undefined);
    const quotas = new TaskQuotas(this.database, new LimitBook(this.database, WIDE_LIMITS, 0, () => undefined), this.ids);
    const submitter = new TaskSubmitter(this.database, ringer, new TaskReader(this.database), this.ids, quotas, null);
    const submitted = await Promise.all(Array.from({ length: count }, () => submitter.submit(newTask(queue, name))));
    return submitted.map(({ task }) => bytesOf(task.id));
  }

  async count(what: Sql): Promise<number> {
    const [found] = await this.database.query<{ total: number }>(sql`SELECT COUNT(*) AS total FROM ${what}`);
    return Number(found?.total);
  }

  async close(): Promise<void> {
    await Promise.all(this.apps.map((app) => app.end()));
    await Promise.all([this.database.close(), this.doorbell.close()]);
    await this.servers.remove();
    removeDirectory(this.directory);
  }
}

export const clientOf = (app: App): Client => new Client(app.url, signToken({ tenant: TENANT, expiresInSeconds: DAY_S }));

function appOf(env: Readonly<Record<string, string>>): App {
  return new App({ env, cwd: join(import.meta.dirname, '../../..') });
}

function newTask(queue: string, name: string): NewTask {
  return {
    ...{ tenant: TENANT, name, queue, priority: 0, payload: 'null', runAt: null, delayMs: null, maxAttempts: null, retry: null },
    ...{ timeoutMs: null, expiresAt: null, deadlineMs: null, tags: [], metadata: null, createdBy: 'failpoints', idempotency: null },
  };
}
