/** A plain HTTP service at work: it accepts tasks and nobody runs them. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { forget, removeDirectory, temporaryDirectory, watch } from '../support/reaper.js';
import { signToken } from '../support/token.js';
import { within } from '../support/until.js';
import { Arrivals } from './arrivals.js';
import { countMySql, NOTHING_COUNTED } from './counts.js';
import type { LoadGenerator } from './load-generator.js';
import type { LoadReport } from './load-job.js';
import { residentMemory } from './memory.js';
import { processorSeconds } from './processor-time.js';
import { databaseServer } from './servers.js';
import type { Counts, Depth, Load, Profile, Seconds, Site } from './site.js';

const TYPESCRIPT = new URL('../support/typescript.mjs', import.meta.url).href;
const READY_MS = 30_000;

export const PLAIN_PROGRAMS = {
  hello: fileURLToPath(new URL('./plain/hello.ts', import.meta.url)),
  insert: fileURLToPath(new URL('./plain/insert.ts', import.meta.url)),
} as const;

export interface PlainOptions {
  readonly program: keyof typeof PLAIN_PROGRAMS;
  /** Null where it has none. */
  readonly databaseUrl: string | null;
  readonly env?: Readonly<Record<string, string>>;
  /** Path of the Node to run it. */
  readonly node: string;
}

export class PlainSite implements Site {
  readonly arrivals: Arrivals;
  private readonly folder = temporaryDirectory('bench');
  private readonly token = signToken();
  private url = '';
  private database: number | null = null;

  private constructor(
    private readonly child: ChildProcess,
    private readonly load: LoadGenerator,
    private readonly databaseUrl: string | null,
  ) {
    this.arrivals = new Arrivals(join(this.folder, 'arrivals'));
  }

  /** Resolves when it listens. */
  static async start({ program, databaseUrl, node, env = {} }: PlainOptions, load: LoadGenerator): Promise<PlainSite> {
    const child = fork(PLAIN_PROGRAMS[program], {
      execPath: node,
      execArgv: ['--import', TYPESCRIPT],
      env: { PATH: process.env['PATH'], NODE_ENV: 'production', ...(databaseUrl !== null && { DATABASE_URL: databaseUrl }), ...env },
      stdio: ['ignore', 2, 2, 'ipc'],
    });
    const { pid } = child;
    if (pid === undefined) throw new Error('Node could not be started.');
    watch('process', pid);
    child.once('exit', () => {
      forget('process', pid);
    });
    const site = new PlainSite(child, load, databaseUrl);
    const [{ port }] = (await within(once(child, 'message'), READY_MS, 'the plain service to listen')) as [{ port: number }];
    site.url = `http://127.0.0.1:${port}`;
    if (databaseUrl !== null) site.database = (await databaseServer(databaseUrl)).pid;
    return site;
  }

  submit(load: Load): Promise<LoadReport> {
    return this.load.run({ url: this.url, token: this.token, ...load });
  }

  depth(): Promise<Depth> {
    return Promise.resolve({ unfinished: 0, failed: 0 });
  }

  processorTime(): Seconds {
    const { database } = this;
    const service = processorSeconds(this.child.pid ?? 0);
    return this.databaseUrl === null ? { service } : { service, database: database === null ? null : processorSeconds(database) };
  }

  memory(): Seconds {
    return { service: residentMemory(this.child.pid ?? 0) };
  }

  async counts(): Promise<Counts> {
    return { ...NOTHING_COUNTED, ...(this.databaseUrl === null ? {} : await countMySql(this.databaseUrl)) };
  }

  stopWorking(): Promise<void> {
    return Promise.resolve();
  }

  startWorking(): Promise<void> {
    return Promise.reject(new Error('Nobody runs what a plain service accepts.'));
  }

  profile(): () => Promise<readonly Profile[]> {
    return () => Promise.resolve([]);
  }

  async close(): Promise<void> {
    const gone = once(this.child, 'exit');
    this.child.disconnect();
    await within(gone, READY_MS, 'the plain service to end');
    this.arrivals.close();
    removeDirectory(this.folder);
  }
}
