/**
 * One installation of the built program on a fresh database: embedded (one process), or one process per role on the servers of the
 * test harness. Tasks come in over HTTP from a load generator, or from a program that has the api's modules in it (`product.mjs`),
 * which then takes the place of the api. Everything but the addresses, the secret and the measured handler is as the program comes.
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
import { countMySql, countRedis, NOTHING_COUNTED } from './counts.js';
import type { LoadGenerator } from './load-generator.js';
import { QUEUE, type LoadReport } from './load-job.js';
import { residentMemory } from './memory.js';
import { processorSeconds } from './processor-time.js';
import { startProfiles } from './profile.js';
import { Remote } from './remote.js';
import { databaseServer, redisServer } from './servers.js';
import { packed, type Counts, type Depth, type Load, type PlainReport, type Profile, type Seconds, type Site } from './site.js';

const HANDLER = fileURLToPath(new URL('./handlers/bench-echo.mjs', import.meta.url));
const PROFILED = fileURLToPath(new URL('./profiled.mjs', import.meta.url));
const ADAPTER = new URL('./product.mjs', import.meta.url).href;
const SUBMIT_MS = 120_000;
const ASK_MS = 10_000;
/** A machine that is busy with something else takes its time. */
const READY_MS = 120_000;
const MIGRATE = fileURLToPath(new URL('../../dist/apps/server/migrate.js', import.meta.url));
/** One credential sends more here than it may by default, and being sent away is not what is measured. */
const REQUESTS = { LIMIT_REQUESTS_PER_MINUTE: '60000000', LIMIT_REQUESTS_BURST: '1000000' };
/** That, for the pages with figures, behind the settings that are named. */
export const OTHER_SETTINGS = 'requests are limited by more than the default; everything else is the default';
/** A queue that nothing is submitted to: a worker that serves only this one does nothing. */
const NO_WORK = 'bench-none';

export interface InstallationOptions {
  readonly concurrency: number;
  /** Where profiles are written; null starts the program as it is. */
  readonly profiles: string | null;
  /** What sends the requests; null where tasks come from a program that embeds the api. */
  readonly load: LoadGenerator | null;
  /** Path of the Node to run it; this one's unless given. */
  readonly node?: string;
  /** Worker processes; 1 unless given. */
  readonly workers?: number;
  /** More settings for every role. */
  readonly more?: Readonly<Record<string, string>>;
}

export class Installation implements Site {
  readonly token = signToken();
  readonly arrivals: Arrivals;
  readonly isEmbedded: boolean;
  private readonly folder = temporaryDirectory('bench');
  private readonly apps = new Map<string, App>();
  private readonly servers = new Map<string, number | null>();
  private program: Remote | null = null;

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

  /** Of the database, and of Redis. */
  get addresses(): { database: string; redis: string } {
    const { DATABASE_URL: database = '', REDIS_URL: redis = '' } = this.environment;
    return { database, redis };
  }

  get client(): Client {
    return new Client(this.url, this.token);
  }

  async submit(load: Load): Promise<LoadReport> {
    const { url, token } = this.program === null ? this : { url: '', token: '' };
    if (this.program === null) return this.options.load!.run({ url, token, ...load });
    return packed(await this.program.call<PlainReport>('submit', load, SUBMIT_MS));
  }

  processorTime(): Seconds {
    const pids = new Map([...this.pids, ...this.servers]);
    return Object.fromEntries([...pids].map(([part, pid]) => [part, pid === null ? null : processorSeconds(pid)]));
  }

  memory(): Seconds {
    return Object.fromEntries([...this.pids].map(([part, pid]) => [part, residentMemory(pid)]));
  }

  async counts(): Promise<Counts> {
    const { DATABASE_URL: database, REDIS_URL: redis } = this.environment;
    if (this.isEmbedded) return NOTHING_COUNTED;
    return { ...NOTHING_COUNTED, ...(await countMySql(database!)), ...(await countRedis(redis!)) };
  }

  profile(label: string): () => Promise<readonly Profile[]> {
    const { program } = this;
    const stopApps = startProfiles(this.apps, label);
    const begun = program?.call('startProfile', null, ASK_MS);
    return async () => {
      const profiles: Profile[] = await stopApps();
      if (program === null) return profiles;
      await begun;
      const file = join(this.options.profiles!, `${label}-program.cpuprofile`);
      await program.call('stopProfile', file, SUBMIT_MS);
      return [...profiles, { role: 'program', file }];
    };
  }

  async depth(): Promise<Depth> {
    if (this.program !== null) return this.program.call<Depth>('depth', null, ASK_MS);
    const { depth } = (await this.client.queues()).find(({ name }) => name === QUEUE)!;
    return { unfinished: depth.queued + depth.running + depth.scheduled + depth.retrying, failed: depth.failed };
  }

  async stopWorking(): Promise<void> {
    await Promise.all((this.isEmbedded ? ['all'] : this.workers).map((role) => this.stop(role)));
    if (this.isEmbedded) await this.run('all', { WORKER_QUEUES: NO_WORK });
  }

  async startWorking(): Promise<void> {
    if (this.isEmbedded) await this.stop('all');
    for (const role of this.isEmbedded ? ['all'] : this.workers) this.run(role).catch(() => undefined);
  }

  async close(): Promise<void> {
    await this.closeProgram();
    await Promise.all([...this.apps.keys()].map((role) => this.stop(role)));
    this.arrivals.close();
    removeDirectory(this.folder);
  }

  private get workers(): string[] {
    const { workers = 1 } = this.options;
    return Array.from({ length: workers }, (_, index) => (index === 0 ? 'worker' : `worker-${index + 1}`));
  }

  private get pids(): Map<string, number> {
    const apps = [...this.apps].map(([role, app]): [string, number] => [role, app.pid]);
    return new Map([...(this.program === null ? [] : [['program', this.program.pid] as const]), ...apps]);
  }

  private get frontDoor(): App {
    return this.apps.get(this.isEmbedded ? 'all' : 'api')!;
  }

  private async boot(): Promise<void> {
    const { DATABASE_URL: database, REDIS_URL: redis } = this.environment;
    if (this.isEmbedded) return this.options.load === null ? this.embed('all') : this.run('all');
    this.servers.set('database', (await databaseServer(database!)).pid);
    this.servers.set('redis', (await redisServer(redis!)).pid);
    await this.migrate();
    const front = this.options.load === null ? this.embed('api') : this.run('api');
    await Promise.all([front, ...[...this.workers, 'scheduler'].map((role) => this.run(role))]);
  }

  private async embed(role: string): Promise<void> {
    const settings = { queue: QUEUE };
    const env = this.environmentOf(role);
    this.program = await Remote.start({ adapter: ADAPTER, role: 'producer', settings, env, node: this.options.node ?? process.execPath });
  }

  private async closeProgram(): Promise<void> {
    const { program } = this;
    this.program = null;
    await program?.close();
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
    const { profiles, node } = this.options;
    const common = { env: { ...this.environmentOf(role), ...more }, ...(node !== undefined && { node }) };
    const app = new App(profiles === null ? common : { ...common, program: PROFILED, arguments: [profiles, role] });
    this.apps.set(role, app);
    await app.waitForReady(READY_MS);
  }

  private environmentOf(role: string): Record<string, string> {
    return {
      ...this.environment,
      NODE_ENV: 'production',
      ROLE: role.replace(/-\d+$/, ''),
      HOST: '127.0.0.1',
      AUTH_JWT_SECRET: TEST_SECRET,
      LOG_FORMAT: 'json',
      ...REQUESTS,
      HANDLERS_DIR: dirname(HANDLER),
      WORKER_CONCURRENCY: String(this.options.concurrency),
      BENCH_ARRIVALS: this.arrivals.path,
      ...this.options.more,
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
