/**
 * One process of the system under test and its ways to the servers, kept running as an orchestrator would: what ends unasked is
 * started again, and remembered. Every life of the process is written down with its pid, because a pid is what the journal of
 * the handlers knows.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, type Exit } from '../support/process.js';
import { clockMs } from './clock.js';
import type { Link } from './link.js';

export type Role = 'api' | 'worker' | 'scheduler';

/** One process from its start to its end; times are ms of `clockMs`. */
export interface Life {
  readonly node: string;
  readonly role: Role;
  readonly pid: number;
  readonly bornAt: number;
  /** When it said that it was ready; null before, and for one that never was. */
  readyAt: number | null;
  /** Null while it runs. */
  endedAt: number | null;
  /** `killed` and `stopped`: by the campaign, with SIGKILL or SIGTERM; `itself`: unasked. */
  end: 'killed' | 'stopped' | 'itself' | null;
  /** Exit code or signal. */
  exit: string;
  /** When it stood still. */
  readonly frozen: { from: number; to: number | null }[];
}

export interface NodePlace {
  readonly name: string;
  readonly role: Role;
  readonly database: Link;
  readonly redis: Link;
  readonly env: Readonly<Record<string, string>>;
  /** Where the log of each life goes. */
  readonly logs: string;
}

const READY_MS = 60_000;
const REPLACED_AFTER_MS = 500;

export class Node {
  readonly lives: Life[] = [];
  private app: App | null = null;
  private expected: Life['end'] = null;
  private closed = false;
  private ready: Promise<boolean> = Promise.resolve(false);
  private over: Promise<Exit> = Promise.resolve({ code: 0, signal: null });

  constructor(readonly place: NodePlace) {}

  get name(): string {
    return this.place.name;
  }

  get role(): Role {
    return this.place.role;
  }

  /** The current process, or the last one. Throws before the first start. */
  get life(): Life {
    const life = this.lives.at(-1);
    if (life === undefined) throw new Error(`${this.name} was never started`);
    return life;
  }

  /** Starts a process and returns at once. `more` is added to its environment. */
  start(more: Readonly<Record<string, string>> = {}): void {
    const { place } = this;
    const app = new App({ env: { ...place.env, ROLE: place.role, ...more }, expectErrors: true });
    const life: Life = {
      ...{ node: place.name, role: place.role, pid: app.pid, bornAt: clockMs(), readyAt: null },
      ...{ endedAt: null, end: null, exit: '', frozen: [] },
    };
    this.lives.push(life);
    this.app = app;
    this.expected = null;
    this.ready = app.waitForReady(READY_MS).then(
      () => {
        life.readyAt = clockMs();
        return true;
      },
      () => false,
    );
    this.over = app.exited.then((exit) => {
      this.ended(app, life, exit);
      return exit;
    });
    this.over.catch(() => undefined);
  }

  /** Resolves when it is ready, or has ended, or has not become ready in time, which is for others to judge. */
  async settled(): Promise<boolean> {
    return this.ready;
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    this.expected = 'killed';
    this.app?.kill('SIGKILL');
    await this.over;
  }

  /** SIGTERM; resolves when it is gone, by force at the deadline. */
  async stop(deadlineMs: number): Promise<Exit> {
    this.expected = 'stopped';
    this.app?.kill('SIGTERM');
    const late = setTimeout(() => this.app?.kill('SIGKILL'), deadlineMs);
    const exit = await this.over;
    clearTimeout(late);
    return exit;
  }

  freeze(): void {
    this.life.frozen.push({ from: clockMs(), to: null });
    this.app?.kill('SIGSTOP');
  }

  thaw(): void {
    this.app?.kill('SIGCONT');
    const last = this.life.frozen.at(-1);
    if (last !== undefined) last.to = clockMs();
  }

  /** Ends it for good; what it logged is kept. */
  async close(): Promise<void> {
    this.closed = true;
    await this.kill();
    await Promise.all([this.place.database.close(), this.place.redis.close()]);
  }

  private ended(app: App, life: Life, { code, signal }: Exit): void {
    life.endedAt = clockMs();
    life.end = this.expected ?? 'itself';
    life.exit = String(code ?? signal);
    const lines = app.logs().map((line) => JSON.stringify(line));
    writeFileSync(join(this.place.logs, `${this.name}.${this.lives.length}.log`), [...lines, app.stderr(), ''].join('\n'));
    if (life.end !== 'itself' || this.closed) return;
    setTimeout(() => {
      if (!this.closed && this.app === app) this.start();
    }, REPLACED_AFTER_MS);
  }
}
