/**
 * An installation that tenants share: an api, a scheduler and two workers of the built program, each a process, on a fresh database
 * and Redis of the test harness. What happened to tasks is read from the database, by its own clock.
 */
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import type { Backend } from '../support/backends.js';
import { Client } from '../support/client.js';
import { App } from '../support/process.js';
import { signToken, TEST_SECRET } from '../support/token.js';

const MIGRATE = fileURLToPath(new URL('../../dist/apps/server/migrate.js', import.meta.url));
const BATCH = 1_000;
const WORKERS = 2;
/** A machine that is busy with something else takes its time. */
const READY_MS = 120_000;
/** Of each worker. */
export const CONCURRENCY = 10;

/** A row of the table of limits. */
export interface Limit {
  readonly tenant: string;
  readonly name: 'weight' | 'tasks.running';
  readonly value: number;
}

export class SharedInstallation {
  private readonly apps = new Map<string, App>();

  private constructor(
    private readonly environment: Readonly<Record<string, string>>,
    private readonly database: Connection,
  ) {}

  /** Resolves when every process is ready; the limits hold from the beginning. */
  static async start(
    backend: Backend,
    limits: readonly Limit[] = [],
    more: Readonly<Record<string, string>> = {},
  ): Promise<SharedInstallation> {
    const environment: Record<string, string> = {
      ...(await backend.environment()),
      ...{ HOST: '127.0.0.1', AUTH_JWT_SECRET: TEST_SECRET, LOG_FORMAT: 'json' },
      WORKER_CONCURRENCY: String(CONCURRENCY),
      ...more,
    };
    await migrate(environment);
    const database = await createConnection({ uri: environment['DATABASE_URL'] ?? '' });
    const installation = new SharedInstallation(environment, database);
    for (const { tenant, name, value } of limits) {
      await database.query(`INSERT INTO limits VALUES (?, '', ?, ?, 1, 'bench', 'bench')`, [tenant, name, value]);
    }
    const roles = ['api', 'scheduler', ...Array.from({ length: WORKERS }, (_, index) => `worker-${index + 1}`)];
    try {
      await Promise.all(roles.map((role) => installation.run(role)));
    } catch (error) {
      // What keeps it from starting is the news; that the rest then does not stop in order is not.
      await installation.close().catch(() => undefined);
      throw error;
    }
    return installation;
  }

  /** Ten of a tenant, or many: each sleeps for `ms`. Answered means committed. */
  async submit(tenant: string, count: number, ms: number, queue = 'default'): Promise<void> {
    for (let left = count; left > 0; left -= BATCH) {
      const tasks = Array.from({ length: Math.min(left, BATCH) }, () => ({ name: 'sleep', queue, payload: { ms } }));
      const { items } = await this.client(tenant).submitBatch(tasks);
      const refused = items.find(({ status }) => status !== 201);
      if (refused !== undefined) throw new Error(`A task was refused: ${JSON.stringify(refused)}`);
    }
  }

  /** From submission to start, in ms, of what has been started. */
  async waits(tenant: string): Promise<number[]> {
    const rows = await this.rows<{ waited: number }>(
      'SELECT started_at - created_at AS waited FROM tasks WHERE tenant = ? AND started_at > 0',
      [tenant],
    );
    return rows.map(({ waited }) => Number(waited));
  }

  async count(tenant: string, state: string): Promise<number> {
    const [row] = await this.rows<{ total: number }>('SELECT COUNT(*) AS total FROM tasks WHERE tenant = ? AND state = ?', [tenant, state]);
    return Number(row?.total ?? 0);
  }

  /** When each attempt that has ended was under way, by the database's clock. */
  async spans(tenant: string): Promise<{ from: number; to: number }[]> {
    return this.rows<{ from: number; to: number }>(
      'SELECT a.started_at AS `from`, a.finished_at AS `to` FROM attempts a JOIN tasks t ON t.id = a.task_id WHERE t.tenant = ?',
      [tenant],
    );
  }

  /** How many statements clients of the database have sent so far, this one included. */
  async statements(): Promise<number> {
    const [row] = await this.rows<{ Value: string }>(`SHOW GLOBAL STATUS LIKE 'Questions'`, []);
    return Number(row?.Value ?? 0);
  }

  /** Ends everything at once, running handlers as well. Fails where a process has logged an error: then something else was measured. */
  async close(): Promise<void> {
    await Promise.all([...this.apps.values()].map((app) => app.end()));
    await this.database.end();
    const [error] = [...this.apps.values()].flatMap((app) => app.unexpectedErrors());
    if (error !== undefined) throw new Error(`A process has logged an error: ${JSON.stringify(error)}`);
  }

  private async run(name: string): Promise<void> {
    const app = new App({ env: { ...this.environment, ROLE: name.replace(/-\d+$/, '') } });
    this.apps.set(name, app);
    await app.waitForReady(READY_MS);
  }

  private client(tenant: string): Client {
    return new Client(this.apps.get('api')?.url ?? '', signToken({ tenant }));
  }

  private async rows<T>(text: string, values: readonly (string | number)[]): Promise<T[]> {
    const [rows] = await this.database.query<(RowDataPacket & T)[]>(text, [...values]);
    return rows;
  }
}

async function migrate(environment: Readonly<Record<string, string>>): Promise<void> {
  const env = { ...process.env, ...environment, ROLE: 'api' };
  const child = spawn(process.execPath, [MIGRATE], { env, stdio: ['ignore', 'ignore', 2] });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error('The migration failed.');
}
