/**
 * The installation under test: two apis, three workers and two schedulers, each a real process of the built program with ways
 * of its own to the database and to Redis. Leases and intervals are short, so that a recovery takes seconds; the figures name
 * them.
 */
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { migrateWith } from '../support/migrate.js';
import { freePort } from '../support/servers/ports.js';
import { signToken, TEST_SECRET } from '../support/token.js';
import { Link } from './link.js';
import { Node, type Role } from './node.js';
import type { Witness } from './witness.js';
import type { Servers } from './servers.js';

const HANDLERS = fileURLToPath(new URL('./handlers/chaos.mjs', import.meta.url));

/** How many processes there are of each role. */
export const PROCESSES: Readonly<Record<Role, number>> = { api: 2, worker: 3, scheduler: 2 };
export const CONCURRENCY = 24;
export const POISON_CRASHES = 3;
export const LEASE_MS = 3_000;
export const REDIS_PREFIX = 'trx-chaos';

export const SETTINGS: Readonly<Record<string, string>> = {
  WORKER_CONCURRENCY: String(CONCURRENCY),
  WORKER_LEASE_MS: String(LEASE_MS),
  WORKER_POLL_MS: '500',
  WORKER_CANCEL_POLL_MS: '250',
  WORKER_ABORT_GRACE_MS: '1000',
  POISON_CRASHES: String(POISON_CRASHES),
  SCHEDULER_SWEEP_MS: '500',
  SCHEDULER_RECONCILE_MS: '500',
  SCHEDULER_PROMOTE_MS: '200',
  RECONCILE_GRACE_MS: '2000',
  DOORBELL_WINDOW: '64',
  DATABASE_POOL_SIZE: '6',
  DATABASE_STATEMENT_TIMEOUT_MS: '3000',
  DATABASE_CONNECT_TIMEOUT_MS: '2000',
  DATABASE_ACQUIRE_TIMEOUT_MS: '2000',
  DATABASE_LOCK_TIMEOUT_MS: '2000',
  REDIS_COMMAND_TIMEOUT_MS: '1000',
  REDIS_CONNECT_TIMEOUT_MS: '2000',
  SHUTDOWN_TIMEOUT_MS: '12000',
};

const DAY_S = 86_400;
/** A token that is good on a process whose date is off by an hour, both ways. */
const ISSUED_AGO_S = 7_200;

export class Site {
  private constructor(readonly nodes: readonly Node[]) {}

  /** Resolves when every process is ready. */
  static async start(servers: Servers, witness: Witness, directory: string): Promise<Site> {
    const logs = join(directory, 'logs');
    mkdirSync(logs, { recursive: true });
    const env = {
      ...SETTINGS,
      ...witness.environment,
      AUTH_JWT_SECRET: TEST_SECRET,
      HANDLERS_DIR: dirname(HANDLERS),
      HOST: '127.0.0.1',
      LOG_FORMAT: 'json',
      REDIS_KEY_PREFIX: REDIS_PREFIX,
    };
    await migrateWith({ ...env, DATABASE_URL: servers.databaseUrl, REDIS_URL: servers.redis.url });
    const nodes = await Promise.all(
      nodeNames().map(async ({ name, role }) => {
        const [database, redis] = await Promise.all([Link.to(servers.databaseUrl), Link.to(servers.redis.url)]);
        const addresses = { DATABASE_URL: database.url, REDIS_URL: redis.url };
        // A front keeps its address over restarts, as behind a load balancer.
        const port: Record<string, string> = role === 'api' ? { PORT: String(await freePort()) } : {};
        return new Node({ name, role, database, redis, env: { ...env, ...addresses, ...port }, logs });
      }),
    );
    for (const node of nodes) node.start();
    const ready = await Promise.all(nodes.map((node) => node.settled()));
    const site = new Site(nodes);
    if (!ready.includes(false)) return site;
    await site.close();
    throw new Error(`Not every process became ready; their logs are in ${logs}.`);
  }

  /** Addresses of the apis, which stay the same. */
  get fronts(): string[] {
    return this.nodes.filter(({ role }) => role === 'api').map(({ place }) => `http://127.0.0.1:${place.env['PORT'] ?? ''}`);
  }

  node(name: string): Node {
    const node = this.nodes.find((other) => other.name === name);
    if (node === undefined) throw new Error(`there is no process ${name}`);
    return node;
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.close()));
  }
}

export function nodeNames(): { name: string; role: Role }[] {
  const roles = Object.keys(PROCESSES) as Role[];
  return roles.flatMap((role) => Array.from({ length: PROCESSES[role] }, (_, index) => ({ name: `${role}-${index + 1}`, role })));
}

export function tokenFor(tenant: string): string {
  const now = Math.floor(Date.now() / 1_000);
  return signToken({ tenant, expiresInSeconds: DAY_S - ISSUED_AGO_S, claims: { iat: now - ISSUED_AGO_S } });
}
