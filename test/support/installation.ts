/**
 * One installation of the program on one backend, as an operator would run it: every role a process of its own on a database
 * server and Redis, everything in one process on SQLite. The tests below it are the same for both.
 */
import { migrateWith } from './migrate.js';
import type { Backend } from './backends.js';
import { Client } from './client.js';
import type { Fleet } from './fleet.js';
import type { App, AppOptions } from './process.js';
import { signToken, TEST_SECRET, type TokenOptions } from './token.js';

export interface InstallationOptions {
  fleet: Fleet;
  backend: Backend;
  handlersDir: string;
  /** How many worker processes; on SQLite there is one process whatever is asked. */
  workers?: number;
  env?: Readonly<Record<string, string>>;
  /** As for a single process of the fleet. */
  expectErrors?: NonNullable<AppOptions['expectErrors']>;
  /** As for a single process of the fleet; on SQLite only. */
  launcher?: readonly string[];
  /** Takes the place of the backend's own addresses, for private servers. */
  addresses?: Readonly<Record<string, string>>;
}

export class Installation {
  private constructor(
    private readonly options: InstallationOptions,
    readonly env: Readonly<Record<string, string>>,
    readonly api: App,
    readonly workers: App[],
    readonly scheduler: App,
  ) {}

  static async start(options: InstallationOptions): Promise<Installation> {
    const { fleet, backend, handlersDir, expectErrors = false } = options;
    const env = {
      ...(options.addresses ?? (await backend.environment())),
      HANDLERS_DIR: handlersDir,
      AUTH_JWT_SECRET: TEST_SECRET,
      LOG_FORMAT: 'json',
      // Whether a machine that runs several suites at once is too slow is not what these tests are about.
      OVERLOAD_LOOP_DELAY_MS: '20000',
      OVERLOAD_POOL_WAIT_MS: '60000',
      ...options.env,
    };
    if (backend.name === 'sqlite') {
      const all = await fleet.start({ env: { ...env, ROLE: 'all' }, expectErrors, launcher: options.launcher ?? [] });
      return new Installation(options, env, all, [all], all);
    }
    await migrateWith(env);
    const role = (name: string): Promise<App> => fleet.start({ env: { ...env, ROLE: name }, expectErrors });
    const [api, scheduler, ...workers] = await Promise.all([
      role('api'),
      role('scheduler'),
      ...Array.from({ length: options.workers ?? 2 }, () => role('worker')),
    ]);
    return new Installation(options, env, api, workers, scheduler);
  }

  client(token: TokenOptions = {}): Client {
    return this.clientOf(this.api, token);
  }

  clientOf(app: App, token: TokenOptions = {}): Client {
    return new Client(app.url, signToken(token));
  }

  /** One more worker, or, on SQLite, the whole process again. */
  async addWorker(expectErrors: NonNullable<AppOptions['expectErrors']> = false): Promise<App> {
    const { fleet, backend } = this.options;
    return fleet.start({ env: { ...this.env, ROLE: backend.name === 'sqlite' ? 'all' : 'worker' }, expectErrors });
  }
}
