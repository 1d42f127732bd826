/** The same servers as containers, for machines that have a Docker engine and not the programs. */
import { randomBytes } from 'node:crypto';
import { createConnection } from 'mysql2/promise';
import { Redis } from 'ioredis';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { forget, watch } from '../reaper.js';
import { until } from '../until.js';
import { freePort } from './ports.js';
import { outputOf } from './programs.js';
import type { PrivateServer } from './server.js';

const DATABASE_IMAGE = 'mariadb:10.11';
const REDIS_IMAGE = 'redis:7';

const run = promisify(execFile);

async function docker(...args: readonly string[]): Promise<string> {
  const { stdout } = await run('docker', args, { encoding: 'utf8' });
  return stdout.trim();
}

/** Whether an engine answers; an installed client alone is not enough. */
export function canUseDocker(): boolean {
  return outputOf('docker', 'info', '--format', '{{.ServerVersion}}') !== null;
}

export async function startDatabaseContainer(options: readonly string[] = []): Promise<PrivateServer> {
  const password = randomBytes(16).toString('hex');
  const port = await freePort();
  const url = `mysql://root:${password}@127.0.0.1:${port}`;
  const settings = ['--innodb-flush-log-at-trx-commit=1', '--character-set-server=utf8mb4', '--max-connections=400', '--skip-log-bin'];
  const published = ['--publish', `127.0.0.1:${port}:3306`, '--env', `MARIADB_ROOT_PASSWORD=${password}`];
  const answers = async (): Promise<boolean> => {
    const connection = await createConnection({ uri: url, connectTimeout: 2_000 });
    connection.destroy();
    return true;
  };
  return Container.start([...published, DATABASE_IMAGE, ...settings, ...options], { port, url, answers });
}

export async function startRedisContainer(): Promise<PrivateServer> {
  const password = randomBytes(16).toString('hex');
  const port = await freePort();
  const url = `redis://:${password}@127.0.0.1:${port}`;
  const settings = ['redis-server', '--requirepass', password, '--save', '', '--appendonly', 'no'];
  const answers = async (): Promise<boolean> => {
    const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 2_000, maxRetriesPerRequest: 0 });
    redis.on('error', () => undefined);
    try {
      await redis.connect();
      return (await redis.ping()) === 'PONG';
    } finally {
      redis.disconnect();
    }
  };
  return Container.start(['--publish', `127.0.0.1:${port}:6379`, REDIS_IMAGE, ...settings], { port, url, answers });
}

interface Address {
  readonly port: number;
  readonly url: string;
  /** The random password makes sure that it is ours. */
  answers(): Promise<boolean>;
}

class Container implements PrivateServer {
  readonly url: string;
  readonly port: number;

  private constructor(
    private readonly id: string,
    private readonly address: Address,
  ) {
    this.url = address.url;
    this.port = address.port;
  }

  static async start(args: readonly string[], address: Address): Promise<Container> {
    const id = await docker('run', '--detach', ...args);
    watch('container', id);
    const container = new Container(id, address);
    await container.ready();
    return container;
  }

  async kill9(): Promise<void> {
    await docker('kill', '--signal', 'KILL', this.id);
    await docker('wait', this.id);
  }

  async stop(): Promise<void> {
    await docker('stop', this.id);
  }

  async restart(): Promise<void> {
    await docker('stop', this.id);
    await docker('start', this.id);
    await this.ready();
  }

  async freeze(): Promise<void> {
    await docker('pause', this.id);
  }

  async thaw(): Promise<void> {
    await docker('unpause', this.id);
  }

  async remove(): Promise<void> {
    await docker('rm', '--force', '--volumes', this.id);
    forget('container', this.id);
  }

  private async ready(): Promise<void> {
    await until(() => this.address.answers(), { deadlineMs: 120_000, everyMs: 200, what: `the container on port ${this.port}` });
  }
}
