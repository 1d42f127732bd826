/**
 * One installation of the built program on a fresh database: embedded (one process), or one process per role on the servers of the
 * test harness. Everything but the addresses, the secret and the measured handler is as the program comes.
 */
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Backend } from '../support/backends.js';
import { Client } from '../support/client.js';
import { App } from '../support/process.js';
import { signToken, TEST_SECRET } from '../support/token.js';
import { temporaryDirectory, removeDirectory } from '../support/reaper.js';
import { Arrivals } from './arrivals.js';
import { QUEUE } from './load-job.js';
import { processorSeconds } from './processor-time.js';
import { databaseServer, redisServer } from './servers.js';

const HANDLER = fileURLToPath(new URL('./handlers/bench-echo.mjs', import.meta.url));
const PROFILED = fileURLToPath(new URL('./profiled.mjs', import.meta.url));
const MIGRATE = fileURLToPath(new URL('../../dist/apps/server/migrate.js', import.meta.url));
/** A queue that nothing is submitted to: a worker that serves only this one does nothing. */
const NO_WORK = 'bench-none';

export interface InstallationOptions {
  readonly concurrency: number;
  /** Where profiles are written; null starts the program as it is. */
  readonly profiles: string | null;
}

/** Part (`api`, `worker`, `database` …) → seconds, or null where it could not be measured. */
export type Seconds = Readonly<Record<string, number | null>>;

export class Installation {
  readonly token = signToken();
  readonly arrivals: Arrivals;
  readonly isEmbedded: boolean;
  private readonly folder = temporaryDirectory('bench');
  private readonly apps = new Map<string, App>();
  private readonly servers = new Map<string, number | null>();

  private constructor(
    private readonly environment: Readonly<Record<string, string>>,
    private readonly options: InstallationOptions,
  ) {
    this.isEmbedded = environment['REDIS_URL'] === undefined;
    this.arrivals = new Arrivals(join(this.folder, 'arrivals'));
  }

  /** Resolves when every role is ready. */
  static async start(backend: Backend, options: InstallationOptions): Promise<Installation> {
    const installation = new Installation(await backend.environment(), options);
    await installation.boot();
    return installation;
  }

  get url(): string {
    return this.frontDoor.url;
  }

  get client(): Client {
    return new Client(this.url, this.token);
  }

  /** Processes of our own, by role. */
  get processes(): ReadonlyMap<string, App> {
    return this.apps;
  }

  /** CPU used so far by everything that takes part; the load generator does not. */
  processorTime(): Seconds {
    const pids = new Map([...[...this.apps].map(([role, app]): [string, number] => [role, app.pid]), ...this.servers]);
    return Object.fromEntries([...pids].map(([part, pid]) => [part, pid === null ? null : processorSeconds(pid)]));
  }

  /** How many tasks of the bench have not ended, and how many have ended badly. */
  async depth(): Promise<{ unfinished: number; failed: number }> {
    const { depth } = (await this.client.queues()).find(({ name }) => name === QUEUE)!;
    return { unfinished: depth.queued + depth.running + depth.scheduled + depth.retrying, failed: depth.failed };
  }

  /** From here on tasks are accepted and nobody runs them. */
  async stopWorking(): Promise<void> {
    await this.stop(this.isEmbedded ? 'all' : 'worker');
    if (this.isEmbedded) await this.run('all', { WORKER_QUEUES: NO_WORK });
  }

  /** Resolves when the worker has been told to start, not when it has. */
  async startWorking(): Promise<void> {
    if (this.isEmbedded) await this.stop('all');
    const ready = this.run(this.isEmbedded ? 'all' : 'worker');
    ready.catch(() => undefined);
  }

  /** Ends everything. Fails where a process has logged an error: then something else was measured than was meant. */
  async close(): Promise<void> {
    await Promise.all([...this.apps.keys()].map((role) => this.stop(role)));
    this.arrivals.close();
    removeDirectory(this.folder);
  }

  private get frontDoor(): App {
    return this.apps.get(this.isEmbedded ? 'all' : 'api')!;
  }

  private async boot(): Promise<void> {
    const { DATABASE_URL: database, REDIS_URL: redis } = this.environment;
    if (this.isEmbedded) return this.run('all');
    this.servers.set('database', (await databaseServer(database!)).pid);
    this.servers.set('redis', (await redisServer(redis!)).pid);
    await this.migrate();
    await Promise.all(['api', 'worker', 'scheduler'].map((role) => this.run(role)));
  }

  private async migrate(): Promise<void> {
    const child = spawn(process.execPath, [MIGRATE], {
      env: { ...process.env, ...this.environmentOf('api') },
      stdio: ['ignore', 'ignore', 2],
    });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) throw new Error('The migration failed.');
  }

  private async run(role: string, more: Readonly<Record<string, string>> = {}): Promise<void> {
    const { profiles } = this.options;
    const env = { ...this.environmentOf(role), ...more };
    const app = new App(profiles === null ? { env } : { env, program: PROFILED, arguments: [profiles, role] });
    this.apps.set(role, app);
    await app.waitForReady();
  }

  private environmentOf(role: string): Record<string, string> {
    return {
      ...this.environment,
      ROLE: role,
      HOST: '127.0.0.1',
      AUTH_JWT_SECRET: TEST_SECRET,
      LOG_FORMAT: 'json',
      HANDLERS_DIR: dirname(HANDLER),
      WORKER_CONCURRENCY: String(this.options.concurrency),
      BENCH_ARRIVALS: this.arrivals.path,
    };
  }

  private async stop(role: string): Promise<void> {
    const app = this.apps.get(role)!;
    this.apps.delete(role);
    await app.stop();
    const [error] = app.unexpectedErrors();
    if (error !== undefined) throw new Error(`The role ${role} has logged an error: ${JSON.stringify(error)}`);
  }
}
